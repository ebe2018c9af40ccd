/**
 * Where GitHub is wrong about a runner, as users have seen it. Its word is wrong then, and its deeds with it: it removes
 * a runner that works, as if that were idle.
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
	/** From so long after the job's begin on; default at once. Set in the middle of a job, it counts from that begin too. */
	afterMs?: number;
	/** 'absent' also while it has no job: it may get one any time (cloudbase/garm #834). Default false. */
	idleToo?: boolean;
}

interface Told {
	rule: LieRule;
	hits: number;
}

export class Lies {
	#told: Told[] = [];

	add(rule: LieRule): FaultHandle {
		const told: Told = { rule, hits: 0 };
		this.#told.push(told);
		return {
			hits: () => told.hits,
			clear: () => {
				this.#told = this.#told.filter((other) => other !== told);
			},
		};
	}

	clear(): void {
		this.#told = [];
	}

	/** What GitHub wrongly says of this runner now; undefined: the truth. */
	about(runner: Runner, nowMs: number): LieRule['says'] | undefined {
		const told = this.#told.find(({ rule }) => fits(rule, runner, nowMs));
		if (told === undefined) return undefined;
		told.hits++;
		return told.rule.says;
	}
}

function fits(rule: LieRule, runner: Runner, nowMs: number): boolean {
	const { scope, name, afterMs = 0 } = rule;
	if (scope !== undefined && scopeKey(scope) !== scopeKey(runner.scope)) return false;
	if (typeof name === 'string' ? name !== runner.name : name && !name.test(runner.name)) return false;
	if (!runner.busy) return rule.says === 'absent' && (rule.idleToo ?? false);
	return nowMs - (runner.busySinceMs ?? 0) >= afterMs;
}
