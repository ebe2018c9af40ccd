import type { ObjectKey } from '../api/object-key.ts';
import type { RunnersSet } from '../api/sets.ts';
import type { SetKind } from './kind.ts';
import type { OwnedRunner } from './owners.ts';
import type { Demanded } from './rules/plan.ts';

/** What an autoscaler asks of a set, while the set is reconciled. */
export interface SetDemand extends Demanded {
	/** What spec.replicas shows: the desired runners, and those that cannot be removed yet. */
	replicas: number;
	/** When it is to be reconciled again if nothing changes, ms from now. */
	requeueAfterMs: number | undefined;
}

/** Who decides how many runners a set has, where it is the target of an autoscaler; see autoscale/autoscaler.ts. */
export interface DemandSource {
	/**
	 * Whether it is known which sets have an autoscaler. Until then only sets that are being deleted are reconciled: for the
	 * others, `replicas` may have no meaning. If it cannot be found out, this becomes true after a minute.
	 */
	readonly synced: boolean;
	/** undefined: no autoscaler acts on this set, and its `replicas` count. */
	demandOf<S extends RunnersSet>(
		kind: SetKind<S>,
		set: S,
		owners: readonly OwnedRunner[],
	): SetDemand | undefined;
	/** Why this set can't start (further) runners now, as its last reconcile found; undefined: it can. */
	blocked(set: RunnersSet, why: Blocked | undefined): void;
	/** `listener` is called with the key of a set that is to be reconciled, and how many jobs it has. */
	onChange(kind: SetKind<RunnersSet>['kind'], listener: (key: ObjectKey, jobs: number) => void): void;
}

export type Blocked =
	| 'RunnerOutdated'
	| 'StartsFailing'
	/** GitHub has not answered yet whether its credential may register runners for its scope: other sets come first. */
	| 'ScopeUnconfirmed'
	/** The runners that it has may get jobs, but a quota refuses further ones. */
	| 'QuotaExceeded'
	| 'CredentialsMissing'
	| 'SpecInvalid'
	| 'Deleting';
