import type { RunnerDeployment, RunnerSet } from '../api/sets.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	allowed,
	type PatchOperation,
	patched,
} from '../webhook/review.ts';
import { oddField } from './pod/field-types.ts';
import { ignoredFields } from './rules/ignored-fields.ts';

/**
 * Reviews CREATE and UPDATE of RunnerSets and RunnerDeployments: sets spec.effectiveTime at each change of spec.replicas
 * (D6), and warns about fields that have no effect, or that no runner can be made with.
 *
 * Compatibility: the webhook has failurePolicy Ignore, and changes by the scale subresource (`kubectl scale`, HPA, KEDA)
 * are not reviewed. In both cases the reconciler finds spec.replicas changed without a newer effectiveTime, and sets
 * it itself. A GitOps tool whose manifest lacks the field leaves it alone (D14).
 */
export function setReplicas(request: AdmissionRequest, nowMs: number): AdmissionResponse {
	if (request.reduced) return allowed(request.uid); // the reconciler stamps it
	const after = readSet(request.object);
	if (!after || after.metadata.deletionTimestamp) return allowed(request.uid);
	const before = request.operation === 'UPDATE' ? readSet(request.oldObject) : undefined;
	const { effectiveTime, warning } = stampOf(before?.spec, after.spec, nowMs);
	const operations: PatchOperation[] =
		effectiveTime === undefined ? [] : [{ op: 'add', path: '/spec/effectiveTime', value: effectiveTime }];
	const news = !before || JSON.stringify(before.spec) !== JSON.stringify(after.spec);
	return patched(request.uid, operations, [
		...(warning === undefined ? [] : [warning]),
		...(news ? warningsAbout(after) : []),
	]);
}

function warningsAbout(set: RunnerSet | RunnerDeployment): string[] {
	const odd = oddField(set);
	return odd ? [`${odd.message}; no runner is created until then`] : ignoredFields(set);
}

interface Replicas {
	replicas?: number | null;
	effectiveTime?: string | null;
}

/**
 * What spec.effectiveTime must be set to; undefined: it is right. It never goes back (D7), is never in the future of our
 * clock (D8), and does not change while spec.replicas stays the same, unless the caller changes it.
 */
export function stampOf(
	before: Replicas | undefined,
	after: Replicas,
	nowMs: number,
): { effectiveTime?: string; warning?: string } {
	const given = after.effectiveTime ?? undefined;
	const held = before?.effectiveTime ?? undefined;
	const givenMs = given === undefined ? undefined : Date.parse(given);
	if (Number.isNaN(givenMs)) return {}; // the schema refuses it, and names the field
	const heldMs = Math.min(Date.parse(held ?? '') || 0, nowMs);
	const now = new Date(nowMs).toISOString();
	const changed = !before || (before.replicas ?? 1) !== (after.replicas ?? 1);

	const itsOwn = givenMs !== undefined && given !== held && givenMs > heldMs;
	if (itsOwn && givenMs <= nowMs) return {};
	if (itsOwn)
		return {
			effectiveTime: now,
			warning: `spec.effectiveTime: ${given} is ahead of the server's clock; ${now} is used`,
		};
	if (changed) return { effectiveTime: now };
	if (given === held) return {};
	if (held === undefined) return {};
	const warning =
		given === undefined ? undefined : `spec.effectiveTime: ${given} is older than ${held}, which stays`;
	return { effectiveTime: held, ...(warning === undefined ? {} : { warning }) };
}

/** The set in a review. It has not been checked against the schema yet: undefined without a spec or template, which the schema refuses. */
function readSet(value: unknown): RunnerSet | RunnerDeployment | undefined {
	const set = value as Partial<RunnerSet> | null | undefined;
	const template: unknown = set?.spec?.template;
	if (!set?.metadata || typeof template !== 'object' || template === null) return undefined;
	const podSpec = (template as { spec?: unknown }).spec ?? {};
	return typeof podSpec === 'object' ? (set as RunnerSet) : undefined;
}
