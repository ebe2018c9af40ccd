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
		'kubectl completes "kubectl runners ..." if kubectl_complete-runners is in PATH; it is in the same folder as',
		'kubectl-runners. The script printed here is for the command kubectl-runners.',
	].join('\n'),
	examples: [
		['For the current bash', 'completion bash > ~/.kubectl-runners.bash && source ~/.kubectl-runners.bash'],
		['For fish', 'completion fish | source'],
	],
	completes: 'shell',
	flags: {},
	run: async (args) => {
		const [shell, ...more] = args;
		if (!isShell(shell) || more.length > 0) throw usageError('name one shell: bash, zsh or fish');
		print(scripts[shell]);
		return exitCode.done;
	},
});

function isShell(name: string | undefined): name is Shell {
	return name !== undefined && Object.hasOwn(scripts, name);
}

/** Bits that kubectl (Cobra) reads from the last line. */
const directive = { default: 0, noFiles: 4 } as const;

/**
 * The verb that kubectl_complete-runners calls: it prints candidates for the last argument, one per line, then
 * `:<directive>`.
 */
export function completeVerb(verbs: () => readonly Verb[]): Verb {
	return {
		name: '__complete',
		summary: 'Candidates for shell completion',
		usage: '__complete [ARGUMENT...]',
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
				// Without a cluster, a right or a kubeconfig there are no candidates; an error message would only
				// disturb.
			}
			print(`${text}:${files ? directive.default : directive.noFiles}\n`);
			return exitCode.done;
		},
	};
}
