import { nearest } from './nearest.ts';

/** The command line asks for what cannot be done. The message says what, for the person who typed it. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
}

/** Compares names, because each bundle has its own copy of the class, which `instanceof` does not recognise. */
export function isUsageError(error: unknown): error is UsageError {
	return error instanceof Error && error.name === 'UsageError';
}

/** What the normaliser must know of a flag. */
export interface FlagShape {
	/** As typed: `dry-run`. */
	name: string;
	/** One letter, without the dash. */
	short?: string;
	boolean: boolean;
	/** The value that a bare `--dry-run` stands for; such a flag takes a value only after `=`. */
	bareValue?: string;
}

/**
 * Reads arguments as kubectl's parser (pflag) does, and writes the flags in the one form cleye cannot misread,
 * `--name=value`; the positional arguments (names of pods) are kept apart.
 *
 * Needed because the two differ: pflag takes the argument after `--flag` as its value whatever it looks like
 * (`--grace-period -1`), allows `-ojson` and `-Aw`, and refuses what it does not know.
 *
 * `seeHelp` is added to the error about an unknown flag. @throws UsageError
 */
export function normaliseArgv(
	argv: readonly string[],
	flags: readonly FlagShape[],
	seeHelp = '',
): { flagArgs: string[]; positionals: string[] } {
	const flagArgs: string[] = [];
	const positionals: string[] = [];
	const rest = [...argv];

	for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
		if (argument === '--') {
			positionals.push(...rest.splice(0));
		} else if (argument.startsWith('--')) {
			flagArgs.push(longFlag(argument, rest, flags, seeHelp));
		} else if (argument.startsWith('-') && argument !== '-') {
			flagArgs.push(...shortFlags(argument, rest, flags, seeHelp));
		} else {
			positionals.push(argument);
		}
	}
	return { flagArgs, positionals };
}

function longFlag(argument: string, rest: string[], flags: readonly FlagShape[], seeHelp: string): string {
	const equals = argument.indexOf('=');
	const name = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
	const flag = flags.find((candidate) => candidate.name === name);
	if (!flag) {
		const hint = nearest(
			name,
			flags.map((candidate) => candidate.name),
		);
		throw new UsageError(`unknown flag: --${name}${hint ? ` (did you mean --${hint}?)` : ''}${seeHelp}`);
	}
	if (equals >= 0) return withValue(flag, argument.slice(equals + 1));
	return withValue(flag, nextValue(flag, rest, `--${name}`));
}

function shortFlags(
	argument: string,
	rest: string[],
	flags: readonly FlagShape[],
	seeHelp: string,
): string[] {
	const result: string[] = [];
	for (let at = 1; at < argument.length; at++) {
		const letter = argument[at]!;
		const flag = flags.find((candidate) => candidate.short === letter);
		if (!flag) throw new UsageError(`unknown shorthand flag: '${letter}' in ${argument}${seeHelp}`);
		const following = argument.slice(at + 1);
		if (flag.boolean && !following.startsWith('=')) {
			result.push(withValue(flag, 'true'));
			continue;
		}
		const value =
			following === '' ? nextValue(flag, rest, `'${letter}' in ${argument}`) : following.replace(/^=/, '');
		result.push(withValue(flag, value));
		break;
	}
	return result;
}

function nextValue(flag: FlagShape, rest: string[], shownAs: string): string {
	if (flag.boolean) return 'true';
	if (flag.bareValue !== undefined) return flag.bareValue;
	const value = rest.shift();
	if (value === undefined) throw new UsageError(`flag needs an argument: ${shownAs}`);
	return value;
}

function withValue(flag: FlagShape, value: string): string {
	return `--${flag.name}=${flag.boolean ? boolean(flag, value) : value}`;
}

function boolean(flag: FlagShape, value: string): boolean {
	if (/^(1|t|true)$/i.test(value)) return true;
	if (/^(0|f|false)$/i.test(value)) return false;
	const problem = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
	throw new UsageError(`invalid argument ${JSON.stringify(value)} for "--${flag.name}" flag: ${problem}`);
}
