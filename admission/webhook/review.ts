import { type Cause, causesOf, type Denial } from '../api/denial.ts';
import type { KubeObject } from '../api/kinds.ts';
import { printable } from '../api/printable.ts';
import { keepFormOfMetadata, keepFormOfPod } from './rules/form.ts';

/** The parts of admission.k8s.io/v1 AdmissionReview that are read. */
export interface AdmissionRequest {
	uid: string;
	/** Empty for deletecollection (measured): the name is only in oldObject. */
	name?: string;
	namespace?: string;
	operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
	resource?: { group?: string; version?: string; resource?: string };
	subResource?: string;
	userInfo: { username?: string; extra?: Record<string, string[]> };
	object?: unknown;
	oldObject?: unknown;
	options?: { gracePeriodSeconds?: number; propagationPolicy?: string; dryRun?: string[] | null } | null;
	dryRun?: boolean;
	/**
	 * The review was so large that long values of it were left out: each is null, or its object is. What is there is as it was
	 * sent, but nothing follows from what is not. Of the objects count on `metadata.name`, `namespace`, `uid` and `labels`, and on
	 * the options of an eviction.
	 */
	reduced?: true;
}

/** How a review came to us. */
export interface Arrival {
	/**
	 * When its time began, ms since 1970 by the `now` of the clock: when the request's headers had arrived, or later where the
	 * API server waits for longer than a handler takes, and the body took long.
	 */
	atMs: number;
	/** Whether the caller knew the path that only the webhook configurations tell. It is no proof of who calls. */
	caller: 'known' | 'unauthenticated';
	/** The caller showed a client certificate, which was checked against --client-ca-file. */
	certified: boolean;
}

export interface AdmissionResponse {
	uid: string;
	allowed: boolean;
	warnings?: string[];
	patchType?: 'JSONPatch';
	/** The operations, as JSON, in base64. */
	patch?: string;
	status?: {
		status: 'Failure';
		code: number;
		reason: string;
		message: string;
		details: {
			retryAfterSeconds?: number;
			/** The facts of the denial, for programs: the API server passes them on as they are. */
			causes: Cause[];
		};
	};
}

export const allowed = (uid: string, warnings?: string[]): AdmissionResponse => ({
	uid,
	allowed: true,
	...(warnings && warnings.length > 0 ? { warnings } : {}),
});

/** One operation of a JSON Patch (RFC 6902). */
export type PatchOperation =
	| { op: 'add' | 'replace' | 'test'; path: string; value: unknown }
	| { op: 'remove'; path: string };

/** Allows the request and changes its object; without operations it is a plain `allowed`. */
export const patched = (
	uid: string,
	operations: PatchOperation[],
	warnings?: string[],
): AdmissionResponse => ({
	...allowed(uid, warnings),
	...(operations.length > 0
		? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') }
		: {}),
});

/** A label or annotation key as a part of a JSON Pointer (RFC 6901). */
export const pointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

/** The HTTP status of a denial. Callers react differently to each: see delete-pods.ts and evict-pods.ts. */
export interface Refusal {
	code: 403 | 409 | 429;
	retryAfterSeconds?: number;
}

const statusReason = { 403: 'Forbidden', 409: 'Conflict', 429: 'TooManyRequests' } as const;

/** Refuses: `message` is what people read, `denial` what programs read where a deletion is refused. */
export function refused(
	uid: string,
	{ code, retryAfterSeconds }: Refusal,
	message: string,
	denial?: Denial,
): AdmissionResponse {
	return {
		uid,
		allowed: false,
		status: {
			status: 'Failure',
			code,
			reason: statusReason[code],
			message: printable(message),
			details: {
				...(retryAfterSeconds ? { retryAfterSeconds } : {}),
				causes: denial ? causesOf(denial) : [],
			},
		},
	};
}

/** A body that is no AdmissionReview v1 request, or is not read; `status` is the HTTP answer. */
export class BadReview extends Error {
	readonly status: 400 | 413 | 415 | 503;
	constructor(status: 400 | 413 | 415 | 503, message: string) {
		super(message);
		this.status = status;
	}
}

/**
 * Reads an AdmissionReview. What the API server always sends in one type, and is of another type here, counts as absent: no
 * handler can stumble over it, and an eviction, whose webhook ignores failures, is answered.
 *
 * @param reduced long values have been left out of the body
 * @throws BadReview that says what is wrong with the body.
 */
export function parseReview(body: Buffer, reduced = false): AdmissionRequest {
	let review: { apiVersion?: unknown; kind?: unknown; request?: Partial<AdmissionRequest> | null };
	try {
		review = JSON.parse(body.toString('utf8'));
	} catch {
		throw new BadReview(400, 'the body is not JSON');
	}
	if (typeof review !== 'object' || review === null || review.kind !== 'AdmissionReview') {
		throw new BadReview(400, 'the body is not an AdmissionReview');
	}
	if (review.apiVersion !== 'admission.k8s.io/v1') {
		throw new BadReview(
			400,
			`unsupported AdmissionReview version ${typeof review.apiVersion === 'string' ? review.apiVersion.slice(0, 100) : '(none)'}: only admission.k8s.io/v1 is supported`,
		);
	}
	const { request } = review;
	if (
		typeof request?.uid !== 'string' ||
		typeof request.operation !== 'string' ||
		!isObject(request.userInfo)
	) {
		throw new BadReview(400, 'the AdmissionReview has no complete request (uid, operation, userInfo)');
	}
	for (const name of objectsOf[request.operation] ?? []) {
		const object = request[name];
		if (!isObject(object) || !isObject(object.metadata)) {
			throw new BadReview(400, `the ${request.operation} request has no ${name} with metadata`);
		}
	}
	keep(request, isText, ['name', 'namespace', 'subResource']);
	if (isObject(request.resource)) keep(request.resource, isText, ['group', 'version', 'resource']);
	else delete request.resource;
	const keepForm = isAboutPods(request) ? keepFormOfPod : keepFormOfMetadata;
	for (const object of [request.object, request.oldObject]) {
		if (!isObject(object)) continue;
		if (Array.isArray(object.metadata)) object.metadata = {};
		keepForm(object, reduced);
	}
	for (const name of isAboutPods(request) ? (namedObjectsOf[request.operation] ?? []) : [])
		if ((request[name] as KubeObject).metadata.name === undefined)
			throw new BadReview(400, `the ${request.operation} request has no ${name} with a name`);
	keep(request.userInfo, isText, ['username']);
	if (isObject(request.userInfo.extra)) keep(request.userInfo.extra, isListOfTexts);
	else delete request.userInfo.extra;
	if (!isObject(request.options)) delete request.options;
	delete request.reduced; // whatever the caller says
	if (reduced) request.reduced = true;
	return request as AdmissionRequest;
}

/** Drops the fields of these names, or all, that are not so. */
function keep(
	object: Record<string, unknown>,
	is: (value: unknown) => boolean,
	names = Object.keys(object),
): void {
	for (const name of names) if (!is(object[name])) delete object[name];
}

/** Its objects are pods; that of an eviction is an Eviction. */
const isAboutPods = ({ resource = {}, subResource }: Partial<AdmissionRequest>): boolean =>
	(resource.group ?? '') === '' && resource.resource === 'pods' && subResource !== 'eviction';

const isText = (value: unknown): boolean => typeof value === 'string';
const isListOfTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);

/** What the API server sends with each operation. */
const objectsOf: Record<string, ('object' | 'oldObject')[]> = {
	CREATE: ['object'],
	UPDATE: ['object', 'oldObject'],
	DELETE: ['oldObject'],
};

/** Those that have been created: their names are known. */
const namedObjectsOf: typeof objectsOf = { UPDATE: ['object', 'oldObject'], DELETE: ['oldObject'] };

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null;

export const reviewOf = (response: AdmissionResponse) => ({
	apiVersion: 'admission.k8s.io/v1',
	kind: 'AdmissionReview',
	response,
});
