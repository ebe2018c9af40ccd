/**
 * Where GitHub is wrong about a runner, as users have seen it. Both its answers and its actions are wrong then: it
 * removes a runner that works, as if it were idle.
 */
import type { FaultHandle } from './faults.ts';
import type { Runner } from './registry.ts';
import { type Scope, scopeKey } from './scope.ts';

export interface LieRule {
	/**
	 * 'idle': list and get say `busy: false` while it works, and DELETE answers 204 and removes it (github-aws-runners
	 * #5228, actions/runner #4422). 'absent': it is in no list, get and DELETE answer 404 (actions/runner #4617).
	 */
	says: 'idle' | 'absent';
	scope?: Scope;
	/** Of the runner; default any. */
	name?: string | RegExp;
	/**
	 * The lie begins this long after the job's start; default at once. If it is set in the middle of a job, it still
	 * counts from the job's start.
	 */
	afterMs?: number;
	/** 'absent' also while it has no job: it may get one any time (cloudbase/garm #834). Default false. */
	idleToo?: boolean;
}

interface ActiveLie {
	rule: LieRule;
	hits: number;
}

export class Lies {
	#active: ActiveLie[] = [];

	add(rule: LieRule): FaultHandle {
		const lie: ActiveLie = { rule, hits: 0 };
		this.#active.push(lie);
		return {
			hits: () => lie.hits,
			clear: () => {
				this.#active = this.#active.filter((other) => other !== lie);
			},
		};
	}

	clear(): void {
		this.#active = [];
	}

	/** What GitHub wrongly says about this runner now; undefined: it tells the truth. */
	about(runner: Runner, nowMs: number): LieRule['says'] | undefined {
		const lie = this.#active.find(({ rule }) => fits(rule, runner, nowMs));
		if (lie === undefined) return undefined;
		lie.hits++;
		return lie.rule.says;
	}
}

function fits(rule: LieRule, runner: Runner, nowMs: number): boolean {
	const { scope, name, afterMs = 0 } = rule;
	if (scope !== undefined && scopeKey(scope) !== scopeKey(runner.scope)) return false;
	if (typeof name === 'string' ? name !== runner.name : name && !name.test(runner.name)) return false;
	if (!runner.busy) return rule.says === 'absent' && (rule.idleToo ?? false);
	return nowMs - (runner.busySinceMs ?? 0) >= afterMs;
}
