import { type PoolConnection } from 'mysql2';
import { type EntitySubscriberInterface, EventSubscriber } from 'typeorm';
import { type AfterQueryEvent } from 'typeorm/subscriber/event/QueryEvent';
import { poolOf } from './failover-pool';

/** Tells the pool of each statement that failed, before the connection goes back to it. */
@EventSubscriber()
export class ConnectionGuard implements EntitySubscriberInterface {
  async afterQuery({ success, error, queryRunner, dataSource }: AfterQueryEvent): Promise<void> {
    if (success) return;
    // The connection that the statement has used.
    const connection = (await queryRunner.connect()) as PoolConnection;
    poolOf(dataSource).failed(connection, error);
  }
}
