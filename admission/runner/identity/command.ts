import type { Container } from '../../api/kinds.ts';

/** A longer command is not searched, and may set any variable: no pod takes longer to read than this. In characters. */
export const longestCommand = 32 * 1024;

/** How many parts of a command and its arguments are searched. */
export const mostParts = 1_000;

/**
 * Which of these variables a container's command or arguments may set, so that its env does not tell the value: the first that
 * is named in them other than to read it, as in `RUNNER_NAME=x exec run.sh`, `env -u RUNNER_NAME` or `${RUNNER_NAME:=x}`.
 * What an image, or a script in it, sets is not seen.
 *
 * @param names where the command is too long to be searched, the first of them counts
 * @returns undefined: none of them
 */
export function commandSetting(
	names: readonly [string, ...string[]],
): (container: Container) => string | undefined {
	const any = `(${names.join('|')})`;
	// Not $NAME, ${NAME}, $(NAME), ${#NAME} or another name that ends or begins so.
	const set = new RegExp(`(?<![\\w$]|\\$[({][#!]?)${any}(?!\\w)|\\$\\{${any}:?=`);
	return ({ command = [], args = [] }) => {
		if (command.length + args.length > mostParts) return names[0];
		let length = 0;
		for (const part of [...command, ...args]) {
			length += part.length;
			if (length > longestCommand) return names[0];
			const found = set.exec(part);
			if (found) return found[1] ?? found[2];
		}
		return undefined;
	};
}
