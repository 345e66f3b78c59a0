#!/usr/bin/env node
import 'reflect-metadata';
import { runProgram } from './program';

// Who reads our output, `head` for one, may have enough before its end.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

// Who reads what is said beside it may be gone, too; the unmount of `dms run` is not left out for that.
process.stderr.on('error', () => undefined);

void runProgram(process.argv).then((code) => process.exit(code));
