import { runToExitCode } from '../../run.ts';
import { defineList } from './list.ts';

/** The bundle behind `list` of pods: with nothing else inside. */
export function main([, ...rest]: readonly string[]): Promise<number> {
	return runToExitCode(() => defineList().run(rest));
}
