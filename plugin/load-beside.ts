import { CliError } from './errors.ts';

/**
 * Loads a bundle from the folder of the entry. What `list` does not need is not in the entry itself, whose size
 * determines how fast the plugin starts.
 */
export async function loadBeside<T>(name: string): Promise<T> {
	const url = new URL(name, import.meta.url);
	try {
		return (await import(url.href)) as T;
	} catch (error) {
		throw new CliError(`error: ${url.pathname} must lie beside kubectl-runners: ${(error as Error).message}`);
	}
}
