import { atMostThreeLines, exitCode } from './errors.ts';
import { asCliError } from './kube/failure.ts';
import { printError } from './print/out.ts';

/** Runs the program to its exit code; whatever it throws becomes at most three lines on stderr. */
export async function runToExitCode(program: () => Promise<number>): Promise<number> {
	try {
		return await program();
	} catch (error) {
		const known = asCliError(error);
		printError(atMostThreeLines(known?.message ?? `error: ${(error as Error).stack ?? error}`));
		return known?.code ?? exitCode.error;
	}
}
