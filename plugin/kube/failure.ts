import { withoutSegments } from '../../admission/api/webhooks.ts';
import { isUsageError } from '../../admission/cli/argv.ts';
import { CliError, isCliError, usageError } from '../errors.ts';
import { isProtobuf, readEnvelope } from './protobuf.ts';

/** The API server's description of an error (kind Status). */
interface Status {
	kind?: string;
	message?: string;
	reason?: string;
	code?: number;
	details?: {
		name?: string;
		kind?: string;
		uid?: string;
		/** Seconds after which the request may be repeated. */
		retryAfterSeconds?: number;
		causes?: { reason?: string; message?: string; field?: string }[];
	};
}

/** The API server answered with an error. */
export class ApiError extends Error {
	readonly code: number;
	readonly status: Status;
	/** Texts of the answer's Warning headers. */
	warnings: string[] = [];

	constructor(code: number, status: Status) {
		super(withoutSegments(status.message ?? `the server answered with HTTP status ${code}`));
		this.code = code;
		this.status = status;
	}
}

export const isNotFound = (error: unknown): boolean => hasCode(error, 404);
export const isForbidden = (error: unknown): boolean => hasCode(error, 403);
/** Somebody else has written the object, or it was replaced by another one of the same name. */
export const isConflict = (error: unknown): boolean => hasCode(error, 409);

function hasCode(error: unknown, code: number): boolean {
	return error instanceof ApiError && error.code === code;
}

/** Returns undefined in place of a 404. */
export async function unlessNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
	try {
		return await answer;
	} catch (error) {
		if (isNotFound(error)) return undefined;
		throw error;
	}
}

/** The API server gave no answer: refused, unknown name, bad certificate, cut off, too slow. */
export class UnreachableError extends Error {}

/** An error body may come from a proxy in between and not be a Status. */
export function apiError(code: number, body: Buffer): ApiError {
	if (isProtobuf(body)) return new ApiError(code, readStatus(body));
	const text = body.toString();
	try {
		const status = JSON.parse(text) as Status;
		if (status?.kind === 'Status') return new ApiError(code, status);
	} catch {
		// Not JSON: the text itself is reported, below.
	}
	const message = text.trim().split('\n')[0]?.slice(0, 200);
	return new ApiError(code, { code, message: message || undefined });
}

/** A Status in protobuf, the answer to a request that asked for protobuf (meta/v1/generated.proto). */
function readStatus(body: Buffer): Status {
	const status: Status = { kind: 'Status' };
	readEnvelope(body, (field, start, end) => {
		if (field === 3) status.message = body.toString('utf8', start, end);
		else if (field === 4) status.reason = body.toString('utf8', start, end);
	});
	return status;
}

/** What kubectl would print; undefined for any other error. */
export function asCliError(error: unknown): CliError | undefined {
	if (isCliError(error)) return error;
	if (isUsageError(error)) return usageError(error.message);
	if (error instanceof UnreachableError) return new CliError(error.message);
	if (!(error instanceof ApiError)) return undefined;
	if (error.code === 401) return new CliError('error: You must be logged in to the server (Unauthorized)');
	const reason = error.status.reason ? ` (${error.status.reason})` : '';
	return new CliError(`Error from server${reason}: ${error.message}`);
}

const untrusted = new Set([
	'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
	'SELF_SIGNED_CERT_IN_CHAIN',
	'DEPTH_ZERO_SELF_SIGNED_CERT',
	'UNABLE_TO_GET_ISSUER_CERT',
	'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** Translates Node's error of a failed connection into kubectl's message. */
export function unreachable(error: NodeJS.ErrnoException, server: URL): UnreachableError {
	const host = `${server.hostname}:${server.port || (server.protocol === 'http:' ? '80' : '443')}`;
	if (error.code === 'ECONNREFUSED') {
		return new UnreachableError(
			`The connection to the server ${host} was refused - did you specify the right host or port?`,
		);
	}
	return new UnreachableError(`Unable to connect to the server: ${describe(error, server.hostname, host)}`);
}

function describe(error: NodeJS.ErrnoException, hostname: string, host: string): string {
	const code = error.code ?? '';
	if (untrusted.has(code))
		return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
	switch (code) {
		case 'ENOTFOUND':
		case 'EAI_AGAIN':
			return `dial tcp: lookup ${hostname}: no such host`;
		case 'ETIMEDOUT':
			return `dial tcp ${host}: i/o timeout`;
		case 'ECONNRESET':
		case 'EPIPE':
			return `the connection to ${host} was reset by the other side`;
		case 'CERT_HAS_EXPIRED':
			return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
		case 'ERR_TLS_CERT_ALTNAME_INVALID':
			return `tls: failed to verify certificate: x509: ${error.message}`;
		case 'EPROTO':
			return `${host} does not speak TLS as expected (is it an http address?)`;
		default:
			return error.message || code;
	}
}
