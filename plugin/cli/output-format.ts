import { usageError } from '../errors.ts';

/** Checks a value of `-o` against what the verb can print. */
export function outputFormat<T extends string>(
	value: string | undefined,
	allowed: readonly T[],
): T | undefined {
	if (value === undefined || value === '') return undefined;
	const known = allowed.find((format) => format === value);
	if (known) return known;
	throw usageError(
		`unable to match a printer suitable for the output format ${JSON.stringify(value)}, allowed formats are: ${allowed.join(',')}`,
	);
}
