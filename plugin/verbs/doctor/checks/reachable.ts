import { explainCallFailure } from '../call-failure.ts';
import type { Check } from '../facts.ts';
import { heartbeatAge, heartbeatIsFresh } from '../heartbeat.ts';

export const reachable: Check = (facts) => {
	const check = 'reachable';
	const { reach } = facts;
	if (facts.validating.kind === 'not-found') return undefined; // there is no webhook to reach
	if (reach.kind === 'answered')
		return { check, level: 'ok', message: `the guard answered; proof: ${reach.by}` };
	if (reach.kind === 'unreachable') {
		const { why, advice } = explainCallFailure(reach.message);
		return {
			check,
			level: 'error',
			message: `the API server does not reach the guard: ${why}`,
			details: [reach.message],
			advice: [advice],
		};
	}
	if (heartbeatIsFresh(facts)) {
		return {
			check,
			level: 'ok',
			message: `proof: the leader's heartbeat, ${heartbeatAge(facts)} s old; not tested through the API server, because ${reach.why}`,
		};
	}
	return { check, level: 'warning', message: `not proven: ${reach.why}, and no fresh heartbeat` };
};
