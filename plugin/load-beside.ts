import { createRequire } from 'node:module';
import { CliError } from './errors.ts';

/**
 * Loads a bundle from the folder of the one that asks. What a command does not need is in another bundle, because all
 * that is loaded makes the plugin start later.
 */
export function loadBeside<T>(name: string): T {
	const require = createRequire(import.meta.filename);
	try {
		return require(`./${name}`) as T;
	} catch (error) {
		const [why] = (error as Error).message.split('\n');
		throw new CliError(`error: ${name} must be in the same folder as kubectl-runners: ${why}`);
	}
}
