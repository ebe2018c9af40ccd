import { printable } from '../../../admission/api/printable.ts';
import { defineVerb, type Verb } from '../../cli/verb.ts';
import { exitCode, usageError } from '../../errors.ts';
import { print } from '../../print/out.ts';
import { complete } from './candidates.ts';
import { type Shell, scripts } from './scripts.ts';

export const completion = defineVerb({
	name: 'completion',
	summary: 'Print the completion script for a shell',
	usage: 'completion bash|zsh|fish',
	description: [
		'kubectl itself completes "kubectl runners ..." if kubectl_complete-runners is in PATH; it is in the folder of',
		'kubectl-runners. The script that this prints completes the command kubectl-runners.',
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

/** What kubectl_complete-runners runs: prints candidates for the last argument, one per line, then `:<directive>`. */
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
				// Without a cluster, a permission or a kubeconfig there is nothing to offer, and no use for an error message.
			}
			print(`${text}:${files ? directive.default : directive.noFiles}\n`);
			return exitCode.done;
		},
	};
}
