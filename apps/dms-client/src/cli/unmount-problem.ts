import { type UnmountResponseDto } from '@app/contracts';

/** What is not as it should be after an unmount that was granted. */
export interface UnmountProblem {
  /** What was written last may not have reached the target; else the mount is only still to go. */
  readonly dataAtRisk: boolean;
  /** Begins with the code. */
  readonly message: string;
}

/** Null where the mount is cleanly gone, or others hold it. */
export function unmountProblem({ error_code, success_msg }: UnmountResponseDto): UnmountProblem | null {
  if (error_code === null) return null;
  return { dataAtRisk: error_code === 'UNMOUNTED_DIRTY', message: `${error_code}: ${success_msg ?? ''}` };
}
