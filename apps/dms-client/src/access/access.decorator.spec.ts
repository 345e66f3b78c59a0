import 'reflect-metadata';
import { type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants';
import { BindingsHttpController } from '../bindings/bindings.http.controller';
import { CleanupHttpController } from '../cleanup/cleanup.http.controller';
import { EventsHttpController } from '../events/events.http.controller';
import { HealthController } from '../health/health.controller';
import { LeasesHttpController } from '../leases/leases.http.controller';
import { LocksHttpController } from '../locks/locks.http.controller';
import { MountsHttpController } from '../mounts/mounts.http.controller';
import { NodesHttpController } from '../nodes/nodes.http.controller';
import { OperationsHttpController } from '../operations/operations.http.controller';
import { ReconcileHttpController } from '../reconcile/reconcile.http.controller';
import { MetricsController } from '../telemetry/metrics.controller';
import { ACCESS_LEVEL } from './access.decorator';

const CONTROLLERS: Type[] = [
  BindingsHttpController,
  CleanupHttpController,
  EventsHttpController,
  HealthController,
  LeasesHttpController,
  LocksHttpController,
  MetricsController,
  MountsHttpController,
  NodesHttpController,
  OperationsHttpController,
  ReconcileHttpController,
];

describe.each(CONTROLLERS)('%p', (controller) => {
  const prototype = controller.prototype as Record<string, object>;
  const routes = Object.getOwnPropertyNames(prototype).filter((name) =>
    Reflect.hasMetadata(METHOD_METADATA, prototype[name]),
  );

  it('has routes', () => expect(routes.length).toBeGreaterThan(0));

  it.each(routes)('says who may call %s', (name) => {
    const level: unknown =
      Reflect.getMetadata(ACCESS_LEVEL, prototype[name]) ?? Reflect.getMetadata(ACCESS_LEVEL, controller);
    expect(['open', 'read', 'change', 'operate', 'administer']).toContain(level);
    const path = String(Reflect.getMetadata(PATH_METADATA, controller));
    // What needs no credentials is not authenticated, and the other way round.
    expect(level === 'open').toBe(!path.startsWith('api/'));
  });
});
