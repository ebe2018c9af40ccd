import { type Scope, scopeKey } from './scope.ts';

/**
 * A name of a runner, owner, repository or scope as a map's key: GitHub does not distinguish the case of any of them, and a pod
 * may write one in another case than GitHub lists it.
 */
export const foldName = (name: string): string => name.toLowerCase();

export const sameName = (one: string, other: string | undefined): boolean =>
	other !== undefined && foldName(one) === foldName(other);

/** The scope as a map's key. For people, scopeKey has it as it was written. */
export const foldedScope = (scope: Scope): string => foldName(scopeKey(scope));

/** A runner at GitHub as a map's key. */
export const runnerKey = (scope: Scope, runnerName: string): string =>
	`${foldedScope(scope)} ${foldName(runnerName)}`;
