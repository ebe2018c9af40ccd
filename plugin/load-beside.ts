import { CliError } from './errors.ts';

/**
 * Loads a bundle that lies beside the entry: what `list` does not need stays out of the entry, whose size is the
 * plugin's start-up time.
 */
export async function loadBeside<T>(name: string): Promise<T> {
	const url = new URL(name, import.meta.url);
	try {
		return (await import(url.href)) as T;
	} catch (error) {
		throw new CliError(`error: ${url.pathname} must lie beside kubectl-runners: ${(error as Error).message}`);
	}
}
