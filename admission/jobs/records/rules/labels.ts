import { longestLabel, mostRunnerLabels } from '../../../api/limits.ts';

/** What is known of the labels of this cluster's sets. */
export interface KnownLabels {
	/** Labels of a set, folded as `fold` does; those that one had lately as well. */
	labels: { has(label: string): boolean };
	/** There is a set. */
	any: boolean;
	/** There is a set without labels of its own. */
	unlabelled: boolean;
}

/** GitHub compares labels without regard to case. */
export const fold = (label: string): string => label.trim().toLowerCase();

/**
 * The labels that a set's spec names, folded, each once; a label with a comma is two, because the runner is given them in one
 * list. Of a set with more than a runner may have only the first count, and its status says so (sets/pod/field-types.ts).
 */
export function labelsIn(value: unknown): string[] {
	const entries: unknown[] = Array.isArray(value) ? value.slice(0, mostRunnerLabels) : [];
	const found = new Set<string>();
	for (const entry of entries) {
		if (typeof entry !== 'string') continue;
		for (const label of entry.split(',', mostRunnerLabels)) {
			if (found.size === mostRunnerLabels) return [...found];
			if (label.length <= longestLabel && label.trim() !== '') found.add(fold(label));
		}
	}
	return [...found];
}

/** GitHub gives runners these by itself: those of Linux pods. */
const implicit = new Set(['linux', 'x64', 'arm64', 'arm']);

/** Names of GitHub's own runners. Those of larger runners are people's choice. */
const hosted = /^(?:ubuntu|windows|macos)-/;

/**
 * Whether a job is recorded: one of our sets could run it, or people should see that none can. All other jobs are those of
 * GitHub's own runners, or of runners elsewhere. It is a check without any call: a record too many costs little, and a job
 * that is not recorded costs its user a wait.
 *
 * @param jobLabels undefined: there are more than are read, and people should see that no set can have them
 * @param known undefined: the sets are not known yet
 */
export function concernsUs(
	jobLabels: readonly string[] | undefined,
	known: KnownLabels | undefined,
): boolean {
	if (!jobLabels) return true;
	const labels = jobLabels.map(fold);
	if (labels.includes('self-hosted')) return true;
	if (!known) return labels.length === 0 || labels.some((label) => !hosted.test(label));
	if (labels.length === 0) return known.unlabelled;
	return labels.some((label) => known.labels.has(label) || (known.any && implicit.has(label)));
}
