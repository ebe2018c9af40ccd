/** Answers of GitHub are read by type: it adds fields, leaves others out, and a proxy may have answered in its place. */
import { scopeFromPath } from '../runner/scope.ts';
import type { GitHubFailure } from './types.ts';

export const fieldsOf = (value: unknown): Record<string, unknown> =>
	typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

export const textOf = (value: unknown): string | undefined =>
	typeof value === 'string' && value !== '' ? value : undefined;

/** A number that can be a part of a path. */
export const isId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

/** OWNER/NAME as parameters of a route; undefined for what could lead to another path of the API. */
export function repositoryParameters(repository: string): { owner: string; repo: string } | undefined {
	const scope = scopeFromPath(repository);
	return scope?.kind === 'repository' ? { owner: scope.owner, repo: scope.name } : undefined;
}

/** @returns every item, or undefined unless all of them can be read: a part of a list proves nothing */
export function readAll<Item>(value: unknown, read: (item: unknown) => Item | undefined): Item[] | undefined {
	if (!Array.isArray(value)) return undefined;
	const items = value.map(read).filter((item) => item !== undefined);
	return items.length === value.length ? items : undefined;
}

export const unusable = (what: string): GitHubFailure => ({
	kind: 'github-unavailable',
	detail: `${what}: GitHub's answer cannot be read`,
});
