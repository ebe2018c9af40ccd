import type { Scope } from '../../../runner/scope.ts';

/** Whether runners of a scope may run jobs of a repository, by OWNER/NAME in lower case. An enterprise's may: nothing says which. */
export function covers(scope: Scope, repository: string): boolean {
	switch (scope.kind) {
		case 'repository':
			return repository === `${scope.owner}/${scope.name}`.toLowerCase();
		case 'organization':
			return repository.startsWith(`${scope.name.toLowerCase()}/`);
		case 'enterprise':
			return true;
	}
}

const narrowness = { repository: 0, organization: 1, enterprise: 2 } as const;

/** The narrowest scope first: its credential sees the repository most likely. */
export const byNarrowness = (one: { scope: Scope }, other: { scope: Scope }): number =>
	narrowness[one.scope.kind] - narrowness[other.scope.kind];
