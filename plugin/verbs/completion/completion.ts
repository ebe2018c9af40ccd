import { defineVerb, type Verb } from '../../cli/verb.ts';
import { exitCode, usageError } from '../../errors.ts';
import { print } from '../../print/out.ts';
import { printable } from '../../print/printable.ts';
import { complete } from './candidates.ts';
import { type Shell, scripts } from './scripts.ts';

export const completion = defineVerb({
	name: 'completion',
	summary: 'Print the completion script for a shell, and how to install it',
	usage: 'completion bash|zsh|fish',
	description: [
		'kubectl completes "kubectl runners ..." by itself once kubectl_complete-runners, which lies beside',
		'kubectl-runners, is in PATH. The script completes the bare command kubectl-runners.',
	].join('\n'),
	examples: [
		['For this bash', 'completion bash > ~/.kubectl-runners.bash && source ~/.kubectl-runners.bash'],
		['For fish', 'completion fish | source'],
	],
	completes: 'shell',
	flags: {},
	run: async (words) => {
		const [shell, ...more] = words;
		if (!isShell(shell) || more.length > 0) throw usageError('name one shell: bash, zsh or fish');
		print(scripts[shell]);
		return exitCode.done;
	},
});

function isShell(word: string | undefined): word is Shell {
	return word !== undefined && Object.hasOwn(scripts, word);
}

/** Bits that kubectl (Cobra) reads on the last line. */
const directive = { default: 0, noFiles: 4 } as const;

/** What kubectl_complete-runners runs: candidates for the last argument, one a line, then `:<directive>`. */
export function completeVerb(verbs: () => readonly Verb[]): Verb {
	return {
		name: '__complete',
		summary: 'Candidates for shell completion',
		usage: '__complete [WORD...]',
		examples: [],
		hidden: true,
		flags: {},
		run: async (argv) => {
			let text = '';
			let files = false;
			try {
				const result = await complete(verbs(), argv);
				files = result.files;
				for (const { value, description } of result.candidates) {
					text += description ? `${printable(value)}\t${printable(description)}\n` : `${printable(value)}\n`;
				}
			} catch {
				// No cluster, no permission, no kubeconfig: there is nothing to offer, and a Tab is no place for errors.
			}
			print(`${text}:${files ? directive.default : directive.noFiles}\n`);
			return exitCode.done;
		},
	};
}
