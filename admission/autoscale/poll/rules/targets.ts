import { sameName } from '../../../runner/github-name.ts';
import type { Scope } from '../../../runner/scope.ts';

/**
 * Whether runners of a scope may run jobs of a repository, by OWNER/NAME in lower case.
 *
 * @param enterprise of the repository's owner; undefined: it may be any, nothing says which
 */
export function covers(scope: Scope, repository: string, enterprise?: string): boolean {
	switch (scope.kind) {
		case 'repository':
			return repository === `${scope.owner}/${scope.name}`.toLowerCase();
		case 'organization':
			return repository.startsWith(`${scope.name.toLowerCase()}/`);
		case 'enterprise':
			return enterprise === undefined || sameName(enterprise, scope.name);
	}
}

const narrowness = { repository: 0, organization: 1, enterprise: 2 } as const;

/** The narrowest scope first: its credential sees the repository most likely. */
export const byNarrowness = (one: { scope: Scope }, other: { scope: Scope }): number =>
	narrowness[one.scope.kind] - narrowness[other.scope.kind];
