/**
 * Reads fields of what GitHub sends. It takes what it needs and nothing else: GitHub adds fields, leaves others out, and sets
 * most of them to null at one time or another (a job that was cancelled in the queue has no runner).
 */
import { printable } from '../../api/printable.ts';

const longestText = 120;
/** RFC 3339 has years of four digits; the API server refuses others. */
const firstMs = Date.parse('0001-01-01T00:00:00Z');
const lastMs = Date.parse('9999-12-31T23:59:59Z');

/** Its fields; none if it is not an object. */
export const objectOf = (value: unknown): Record<string, unknown> =>
	typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

export const textOf = (value: unknown): string | undefined =>
	typeof value === 'string' && value !== '' ? value : undefined;

/** A text that somebody chose, cut to be shown: the API server would refuse an annotation of any length. */
export const shown = (value: unknown, longest = longestText): string | undefined =>
	printable((textOf(value)?.slice(0, longest) ?? '').toWellFormed()) || undefined;

export const idOf = (value: unknown): number | undefined =>
	Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : undefined;

/** ms since the epoch */
export function timeOf(value: unknown): number | undefined {
	const ms = Date.parse(textOf(value) ?? '');
	return ms >= firstMs && ms <= lastMs ? ms : undefined;
}
