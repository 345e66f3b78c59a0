/**
 * What of the contract needs no other package: tables, shapes and classes without decorators. The client package is
 * made from it; what is exported as a type only may stand in a file that is decorated.
 */
export { DmsError, type DmsErrorOptions, type FieldProblem } from './errors/dms-error';
export { ERROR_CODES, type ErrorCode, type ErrorCodeFacts, isErrorCode } from './errors/error-codes';
export { ERROR_REMEDIES } from './errors/error-remedies';
export { noAnswer, outcomeProblem, readAnswer } from './responses/http-answer';
export { Secret } from './secrets/secret';
export type {
  BackupTargetDto,
  JobDto,
  RequestContextDto,
  TargetRequestDto,
  TargetType,
} from './requests/target-request.dto';
export type { MountResponseDto, OutcomeDto, UnmountResponseDto } from './responses/target-response.dto';
export type {
  BindingDto,
  BindingListDto,
  BindingState,
  CleanupResponseDto,
  HistoryDto,
  MountState,
  NodeDto,
  NodeListDto,
  NodeState,
  OperationAction,
  OperationDto,
  OperationListDto,
  OperationStatus,
  ReleaseJobResponseDto,
  StaleEntryDto,
} from './responses/ledger.dto';
export type {
  BindingStatusDto,
  DeleteBindingResponseDto,
  NodeDetailDto,
  VerifiedMountDto,
} from './responses/live.dto';
export { asStateEvent } from './wire/state-event.dto';
export type { OperationBriefDto, StateEventDto, StateEventKind } from './wire/state-event.dto';
