import { type QueryRunner } from 'typeorm';

/** The statements on idempotency keys in the transaction that takes their requests in. */
export class IdempotencyKeyStatements {
  constructor(private readonly runner: QueryRunner) {}

  /**
   * Notes that the operation of the key is taken in now.
   *
   * @returns false where the key stands for another operation meanwhile: a repeat took this request for dead, and is
   *   carried out instead
   */
  async begin(key: string, operationId: string): Promise<boolean> {
    const { affectedRows } = (await this.runner.query(
      'UPDATE idempotency_keys SET begun = TRUE WHERE idempotency_key = ? AND operation_id = ?',
      [key, operationId],
    )) as { affectedRows: number };
    return affectedRows > 0;
  }
}
