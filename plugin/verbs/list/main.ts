import { runToExitCode } from '../../run.ts';
import { defineList } from './list.ts';

/** The bundle of `list` for pods, and nothing else. */
export function main([, ...rest]: readonly string[]): Promise<number> {
	return runToExitCode(() => defineList().run(rest));
}
