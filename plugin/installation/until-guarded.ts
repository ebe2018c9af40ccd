import { setTimeout as sleep } from 'node:timers/promises';
import { humanSpan } from '../../admission/api/duration.ts';
import { untilInterrupted } from '../cli/interrupt.ts';
import { exitCode } from '../errors.ts';
import { ApiError, UnreachableError } from '../kube/failure.ts';
import { printError } from '../print/out.ts';
import { Progress, type Screen } from '../print/progress.ts';
import type { Manifest } from './manifest.ts';
import type { Objects } from './objects.ts';
import { whatIsMissing } from './ready.ts';

const lookEveryMs = 300;

/** Waits until the guard answers, showing what it still lacks. Resolves with the exit code. */
export async function untilGuarded(
	api: Objects,
	objects: readonly Manifest[],
	{ timeoutMs, screen, hint }: { timeoutMs: number; screen: Screen; hint: () => Promise<string | undefined> },
): Promise<number> {
	const startedMs = Date.now();
	const interrupt = untilInterrupted();
	const progress = new Progress(screen);
	let missing = await look(api, objects);
	try {
		while (missing !== undefined) {
			if (interrupt.interrupted) {
				printError(`interrupted while ${missing}; what was applied stays`);
				return exitCode.interrupted;
			}
			if (timeoutMs > 0 && Date.now() - startedMs > timeoutMs) {
				printError(`error: timed out waiting for the guard: ${missing}; what was applied stays`);
				const advice = await hint();
				if (advice) printError(advice);
				return exitCode.timeout;
			}
			progress.waiting('guard', { text: 'waiting for the guard', sinceMs: startedMs, detail: missing });
			await sleep(lookEveryMs, undefined, { signal: interrupt.signal }).catch(() => undefined);
			missing = await look(api, objects);
		}
		progress.settled('guard');
		progress.say(`the guard answers (${humanSpan(Date.now() - startedMs)})`);
	} finally {
		progress.close();
	}
	const advice = await hint();
	if (advice) printError(`Warning: ${advice}`);
	return exitCode.done;
}

/** What is missing. While the API server cannot be reached, that is what is reported. */
async function look(api: Objects, objects: readonly Manifest[]): Promise<string | undefined> {
	try {
		return await whatIsMissing(api, objects);
	} catch (error) {
		const passing = error instanceof UnreachableError || (error instanceof ApiError && error.code >= 500);
		if (!passing) throw error;
		return error.message;
	}
}
