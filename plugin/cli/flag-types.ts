import { usageError } from '../errors.ts';
import { parseDurationMs } from './go-duration.ts';

/** A flag that takes a Go duration ("90s", "1h30m"); its value is ms. */
export function durationFlag(name: string): (text: string) => number {
	return (text) => {
		try {
			return parseDurationMs(text);
		} catch (error) {
			throw invalid(text, name, (error as Error).message);
		}
	};
}

/** `--request-timeout`: as kubectl, a bare number is seconds. Its value is ms. */
export function requestTimeoutFlag(text: string): number {
	if (/^\d+$/.test(text)) return Number(text) * 1000;
	try {
		return parseDurationMs(text);
	} catch {
		// kubectl has a message of its own for this flag, which says what is allowed.
		throw usageError(
			'Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)',
		);
	}
}

export function integerFlag(name: string): (text: string) => number {
	return (text) => {
		if (!/^[+-]?\d+$/.test(text)) {
			throw invalid(text, name, `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
		}
		return Number(text);
	};
}

export type DryRun = 'none' | 'client' | 'server';

export function dryRunFlag(text: string): DryRun {
	if (text === 'none' || text === 'client' || text === 'server') return text;
	throw usageError(`Invalid dry-run value (${text}). Must be "none", "server", or "client".`);
}

function invalid(value: string, name: string, why: string): Error {
	return usageError(`invalid argument ${JSON.stringify(value)} for "--${name}" flag: ${why}`);
}
