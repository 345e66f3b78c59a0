export { DmsClient, type DmsClientOptions } from './dms-client';
export * from './errors';
export type { EventOptions } from './events/event-stream';
export type { TokenSource } from './http/credentials';
export type { AcquiredMount, AcquireOptions } from './mounts/acquired-mount';
export { SignalReceived } from './mounts/process-signals';
export { type MountPlace, NOT_MOUNTED_MARKER, verifyMount } from './mounts/verify-mount';
export type { MountScope, WithMountOptions } from './mounts/with-mount';
export type {
  BindingFilter,
  BindingName,
  CallOptions,
  EventFilter,
  OperationFilter,
  TargetCallOptions,
  TargetRequest,
} from './requests';
export {
  DmsError,
  ERROR_CODES,
  ERROR_REMEDIES,
  type ErrorCode,
  type ErrorCodeFacts,
  type FieldProblem,
  isErrorCode,
  Secret,
} from '../../contracts/src/plain';
export type {
  BindingDto as Binding,
  BindingState,
  BindingStatusDto as BindingStatus,
  CleanupResponseDto as CleanupResponse,
  DeleteBindingResponseDto as DeleteBindingResponse,
  MountResponseDto as MountResponse,
  MountState,
  NodeDetailDto as NodeDetail,
  NodeDto as Node,
  NodeState,
  OperationDto as Operation,
  OperationStatus,
  ReleaseJobResponseDto as ReleaseJobResponse,
  StateEventDto as StateEvent,
  StateEventKind,
  TargetType,
  UnmountResponseDto as UnmountResponse,
} from '../../contracts/src/plain';
