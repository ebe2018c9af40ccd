/**
 * Mutations without any visible effect, each with the reason. An entry has to match exactly one mutation; the run fails
 * if it no longer matches any.
 */
interface Equivalent {
	file: string;
	/** The line, as Mutation.text. */
	text: string;
	what: string;
	why: string;
}

const podFreesMemory = 'it frees memory: the UID of a pod that is gone never comes again';
const freesMemory = 'it frees memory: the UID of a set that is gone never comes again';

const quicker = 'it is quicker: making a format takes longer than using it';

export const equivalent: readonly Equivalent[] = [
	{
		file: 'admission/autoscale/rules/doubt.ts',
		text: 'const leftMs = suspectMs(job) > nowMs ? Number.POSITIVE_INFINITY : leftAfter(job, unassignedMs, proofs);',
		what: 'false in place of suspectMs(job) > nowMs',
		why: 'it is quicker: one that is not suspect by then is not so later',
	},
	{
		file: 'admission/autoscale/rules/doubt.ts',
		text: 'if (idleMs.length === 0) return since;',
		what: 'false in place of idleMs.length === 0',
		why: 'it is quicker: thousands of jobs need not be sorted for no runner',
	},
	{
		file: 'admission/autoscale/rules/asking.ts',
		text: 'if (unknown.length === 0) return doubted;',
		what: 'false in place of unknown.length === 0',
		why: 'it is quicker: thousands of jobs need not be sorted for no runner',
	},
	{
		file: 'admission/autoscale/rules/routing.ts',
		text: "const its = 'set' in found ? left.get(found.set) : undefined;",
		what: "true in place of 'set' in found",
		why: 'no set has no name, and the condition is there for the compiler',
	},
	{
		file: 'admission/autoscale/rules/schedule.ts',
		text: 'known && known.edgeMs > atMs ? known : datedOf(override, atMs);',
		what: 'without known',
		why: 'there is always one, and the condition is there for the compiler',
	},
	{
		file: 'admission/autoscale/rules/schedule.ts',
		text: 'known && known.edgeMs > atMs ? known : datedOf(override, atMs);',
		what: 'false in place of known && known.edgeMs > atMs',
		why: quicker,
	},
	{
		file: 'admission/time/bounded-map.ts',
		text: 'if (own === 0) break;',
		what: 'false in place of own === 0',
		why: quicker,
	},
	{
		file: 'admission/time/deadline.ts',
		text: 'if (ms === undefined && !signal) return work;',
		what: 'false in place of ms === undefined && !signal',
		why: quicker,
	},
	{
		file: 'admission/autoscale/rules/wall-clock.ts',
		text: 'if (known) return known;',
		what: 'false in place of known',
		why: quicker,
	},
	{
		file: 'admission/autoscale/rules/wall-clock.ts',
		text: 'clocks.set(name, clock);',
		what: 'without clocks.set(name, clock);',
		why: quicker,
	},
	{
		file: 'admission/guard/subjects/runner/rules/decide.ts',
		text: "const why = reading.says === 'unknown' ? reading.why : undefined;",
		what: "true in place of reading.says === 'unknown'",
		why: 'no other reading has a why, and the condition is there for the compiler',
	},
	{
		file: 'admission/guard/open-signals.ts',
		text: "const runner = change === 'deleted' ? undefined : dependencies.pods.read(pod);",
		what: "false in place of change === 'deleted'",
		why: podFreesMemory,
	},
	{
		file: 'admission/guard/open-signals.ts',
		text: 'this.#contradicted.delete(uid);',
		what: 'without this.#contradicted.delete(uid);',
		why: 'it frees memory: the next job has another key',
	},
	{
		file: 'admission/guard/open-signals.ts',
		text: 'if (!kind || !job || this.#contradicted.get(pod.uid) === job.key) return;',
		what: 'without !job',
		why: 'only a signal "working" is contradicted, and the condition is there for the compiler',
	},
	{
		file: 'admission/guard/open-signals.ts',
		text: 'if (!cached || !pod) return undefined;',
		what: 'without !cached',
		why: 'a pod is read from what is cached, and the condition is there for the compiler',
	},
	{
		file: 'admission/guard/open-signals.ts',
		text: 'if (!cached || !pod) return undefined;',
		what: 'without !pod',
		why: 'only pods of runners are cached, and the condition is there for the compiler',
	},
	{
		file: 'admission/guard/deletion-loop.ts',
		text: "if (change === 'deleted') this.#accepted.delete(object.metadata.uid ?? '');",
		what: "false in place of change === 'deleted'",
		why: podFreesMemory,
	},
	{
		file: 'admission/guard/deletion-loop.ts',
		text: 'return pods.filter(({ namespace }) => namespace === name).map(objectKey);',
		what: 'without .filter(({ namespace }) => namespace === name)',
		why: 'it is quicker: a pod of another namespace is reconciled for nothing',
	},
	{
		file: 'admission/guard/deletion-loop.ts',
		text: 'if (!object || object.metadata.deletionTimestamp || !this.#isWanted(object)) return this.#forget(key);',
		what: 'without !this.#isWanted(object)',
		why: 'it is quicker: nothing needs to be read of a pod that has no record',
	},
	{
		file: 'admission/guard/subjects/runner/deletions.ts',
		text: 'if (!pod || !(pod.record || namespaceTerminating)) return undefined;',
		what: 'without !pod',
		why: 'the cache keeps runner pods only, and the condition is there for the compiler',
	},
	{
		file: 'admission/guard/subjects/runner/deletions.ts',
		text: 'if (at !== undefined && this.#proofs.get(uid)?.at !== at)',
		what: 'without at !== undefined',
		why: 'a proof that has been removed is never the same again',
	},
	{
		file: 'admission/guard/subjects/job-pod/deletions.ts',
		text: 'if (!jobPod || !(jobPod.record || namespaceTerminating)) return undefined;',
		what: 'without !jobPod',
		why: 'the watch keeps job pods only, and the condition is there for the compiler',
	},
	{
		file: 'admission/guard/subjects/runner/deletions.ts',
		text: 'const request = pod.record ? undefined : namespaceDeletion;',
		what: 'false in place of pod.record',
		why: 'what is recorded already is not recorded again',
	},
	{
		file: 'admission/guard/subjects/runner/deletions.ts',
		text: 'if (isGone) for (const known of [this.#refusals, this.#proofs]) known.delete(uid);',
		what: 'false in place of isGone',
		why: podFreesMemory,
	},
	{
		file: 'admission/sets/rules/plan.ts',
		text: 'const delayMs = givenMs && Math.min(givenMs, longestRecreationDelayMs);',
		what: 'without givenMs',
		why: 'without a delay it is NaN, within which nothing has completed either',
	},
	{
		file: 'admission/sets/rules/plan.ts',
		text: "const ends = latest.filter(({ phase, brief }) => phase === 'completed' && brief);",
		what: 'without brief',
		why: 'a completed runner that is not brief is useful, whichever time it is measured from',
	},
	{
		file: 'admission/sets/reconciler.ts',
		text: "if (change === 'deleted') this.#forget(metadata.uid ?? '', key);",
		what: "false in place of change === 'deleted'",
		why: freesMemory,
	},
	{
		file: 'admission/sets/reconciler.ts',
		text: "return 'kind' in account ? account.detail : undefined;",
		what: "true in place of 'kind' in account",
		why: 'an account has no detail, and the condition is there for the compiler',
	},
	{
		file: 'admission/sets/reconciler.ts',
		text: 'this.#sizes.delete(key);',
		what: 'without this.#sizes.delete(key);',
		why: freesMemory,
	},
	{
		file: 'admission/sets/reconciler.ts',
		text: 'this.#status.forget(uid);',
		what: 'without this.#status.forget(uid);',
		why: freesMemory,
	},
	{
		file: 'admission/sets/reconciler.ts',
		text: 'this.#owners.forget(uid);',
		what: 'without this.#owners.forget(uid);',
		why: freesMemory,
	},
	{
		file: 'admission/sets/reconciler.ts',
		text: 'this.#memory.delete(uid);',
		what: 'without this.#memory.delete(uid);',
		why: freesMemory,
	},
	{
		file: 'admission/sets/reconciler.ts',
		text: 'this.#keys.delete(uid);',
		what: 'without this.#keys.delete(uid);',
		why: freesMemory,
	},
	{
		file: 'admission/sets/reconciler.ts',
		text: 'this.#orphaning.delete(uid);',
		what: 'without this.#orphaning.delete(uid);',
		why: freesMemory,
	},
];
