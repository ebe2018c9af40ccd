import { type Denial, readDenial } from '../../admission/api/denial.ts';
import { names } from '../../admission/api/keys.ts';
import type { ApiError } from '../kube/failure.ts';
import { deniedBy, unansweredBy } from '../kube/webhook-errors.ts';

/** The guard's denial in an error of the API server; undefined if the error has another cause. */
export function guardDenial({ status }: ApiError): Denial | undefined {
	return readDenial(status.details?.causes ?? []);
}

/** For a line that names the pod: "it is busy (12m): build (octo-org/app). Recorded: the pod is deleted when ...". */
export function describeDenial({ reason, state, next, recorded }: Denial): string {
	const what = `it ${state}`;
	if (recorded === 'dry-run') return what;
	if (recorded) return `${what}. Recorded: ${next}`;
	return `${what}. ${reason === 'owner-leaving' ? sentence(next) : 'Nothing is recorded: ask again'}`;
}

/** Whether the API server refused because the guard is installed and did not answer. */
export function isGuardUnreachable({ message }: ApiError): boolean {
	return isGuard(unansweredBy(message)?.webhook);
}

/** Whether the guard refused the deletion or the edit of a pod, for any reason. */
export function isDeniedByGuard(error: ApiError): boolean {
	return isGuard(deniedBy(error)?.webhook);
}

function isGuard(webhook: string | undefined): boolean {
	return webhook?.includes(names.server) === true;
}

function sentence(clause: string): string {
	return clause.charAt(0).toUpperCase() + clause.slice(1);
}
