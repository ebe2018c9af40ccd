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
 * `--name=value`; the other words (names of pods) are kept apart.
 *
 * Needed because the two differ: pflag takes the word after `--flag` as its value whatever it looks like
 * (`--grace-period -1`), allows `-ojson` and `-Aw`, and refuses what it does not know.
 *
 * `seeHelp` is added to the error about an unknown flag. @throws UsageError
 */
export function normaliseArgv(
	argv: readonly string[],
	flags: readonly FlagShape[],
	seeHelp = '',
): { flagArgs: string[]; words: string[] } {
	const flagArgs: string[] = [];
	const words: string[] = [];
	const rest = [...argv];

	for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
		if (word === '--') {
			words.push(...rest.splice(0));
		} else if (word.startsWith('--')) {
			flagArgs.push(longFlag(word, rest, flags, seeHelp));
		} else if (word.startsWith('-') && word !== '-') {
			flagArgs.push(...shortFlags(word, rest, flags, seeHelp));
		} else {
			words.push(word);
		}
	}
	return { flagArgs, words };
}

function longFlag(word: string, rest: string[], flags: readonly FlagShape[], seeHelp: string): string {
	const equals = word.indexOf('=');
	const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
	const flag = flags.find((candidate) => candidate.name === name);
	if (!flag) {
		const hint = nearest(
			name,
			flags.map((candidate) => candidate.name),
		);
		throw new UsageError(`unknown flag: --${name}${hint ? ` (did you mean --${hint}?)` : ''}${seeHelp}`);
	}
	if (equals >= 0) return withValue(flag, word.slice(equals + 1));
	return withValue(flag, nextValue(flag, rest, `--${name}`));
}

function shortFlags(word: string, rest: string[], flags: readonly FlagShape[], seeHelp: string): string[] {
	const result: string[] = [];
	for (let at = 1; at < word.length; at++) {
		const letter = word[at]!;
		const flag = flags.find((candidate) => candidate.short === letter);
		if (!flag) throw new UsageError(`unknown shorthand flag: '${letter}' in ${word}${seeHelp}`);
		const following = word.slice(at + 1);
		if (flag.boolean && !following.startsWith('=')) {
			result.push(withValue(flag, 'true'));
			continue;
		}
		const value =
			following === '' ? nextValue(flag, rest, `'${letter}' in ${word}`) : following.replace(/^=/, '');
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
