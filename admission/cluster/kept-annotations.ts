import {
	arc,
	autoscalerMarks,
	breakGlass,
	breakGlassBy,
	busy,
	identityProof,
	jobHooks,
	progress,
	record,
} from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { BoundedMap } from '../time/bounded-map.ts';

/**
 * The annotations of a pod that the leader's caches keep: every one in these groups of api/keys.ts, so that a new one is
 * never missing there. Of the job hooks' the script and its like are long, and only the kubelet reads them.
 */
const kept: ReadonlySet<string> = new Set([
	...[record, progress, busy, arc].flatMap((group) => Object.values<string>(group)),
	...Object.keys(autoscalerMarks),
	...[breakGlass, breakGlassBy, identityProof, jobHooks.authorities],
]);

/** The pod's annotations without those that nobody reads. */
export const keptAnnotations = ({ metadata: { annotations = {} } }: Pod): Record<string, string> =>
	Object.fromEntries(
		Object.entries(annotations)
			.filter(([key]) => kept.has(key))
			.map(([key, value]) => [key, shared(value)]),
	);

/** Long texts that many pods have alike, the CAs of their job hooks: one copy of each is kept. */
const texts = new BoundedMap<string, string>({ most: 16 });
const longText = 500;

function shared(text: string): string {
	if (text.length < longText) return text;
	const known = texts.get(text);
	if (known !== undefined) return known;
	texts.set(text, text);
	return text;
}
