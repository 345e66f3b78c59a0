// class-transformer reads the types of nested fields from it.
import 'reflect-metadata';

export * from './errors/dms-error';
export * from './errors/error-codes';
export * from './requests/target-request.dto';
export * from './requests/target-request.parser';
export * from './requests/satisfies.decorator';
export * from './requests/validate';
export * from './responses/inventory.dto';
export * from './responses/ledger.dto';
export * from './responses/live.dto';
export * from './responses/locks.dto';
export * from './responses/reconcile.dto';
export * from './responses/target-response.dto';
export * from './rules/identifiers';
export * from './rules/mount-path';
export * from './rules/nfs-options';
export * from './rules/source';
export * from './secrets/secret';
export * from './wire/command';
export * from './wire/envelope.dto';
export * from './wire/event';
export * from './wire/hello';
export * from './wire/names';
export * from './wire/reply';
export * from './wire/state-event.dto';
