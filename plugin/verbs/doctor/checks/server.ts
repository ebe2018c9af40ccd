import { humanSpan } from '../../../../admission/api/duration.ts';
import { type Check, notMade } from '../facts.ts';
import { heartbeatAge, heartbeatIsFresh } from '../heartbeat.ts';

/** A lease that was not renewed for this many times its duration is abandoned. */
const leaseLengths = 2;

export const leader: Check = (facts) => {
	const check = 'leader';
	const { lease, namespace, nowMs } = facts;
	const advice = [
		`without a leader recorded deletions wait: kubectl get pods -n ${namespace}; for a server outside of the cluster, check that it runs`,
	];
	if (lease.kind === 'not-found') {
		const message = `there is no Lease runners-admission in namespace ${namespace}: no server has ever been the leader`;
		return { check, level: 'error', message, advice };
	}
	if (lease.kind !== 'found') return notMade(check, lease);
	const { holderIdentity, renewTime = '', leaseDurationSeconds = 15 } = lease.value.spec ?? {};
	const ageMs = nowMs - Date.parse(renewTime);
	const renewed = Number.isNaN(ageMs) ? 'never renewed' : `renewed ${humanSpan(Math.max(0, ageMs))} ago`;
	if (!holderIdentity) return { check, level: 'error', message: `there is no leader (${renewed})`, advice };
	if (Number.isNaN(ageMs) || ageMs > leaseLengths * leaseDurationSeconds * 1000)
		return {
			check,
			level: 'error',
			message: `${holderIdentity} is no longer the leader: ${renewed}`,
			advice,
		};
	return { check, level: 'ok', message: `${holderIdentity}, ${renewed}` };
};

export const heartbeat: Check = (facts) => {
	const check = 'report';
	const { report, namespace, version } = facts;
	if (report.kind === 'not-found') {
		const message = `there is no ConfigMap runners-admission-status in namespace ${namespace}, so nothing is known about credentials and certificates`;
		const advice = [
			'the leader writes it within seconds: check that there is a leader, and that the server is as new as this plugin',
		];
		return { check, level: 'warning', message, advice };
	}
	if (report.kind !== 'found') return notMade(check, report);
	const age = `${humanSpan((heartbeatAge(facts) ?? 0) * 1000)} old`;
	if (!heartbeatIsFresh(facts)) {
		const message = `the leader's report is ${age}; the checks below that use it may be out of date`;
		return { check, level: 'warning', message };
	}
	const server = report.value.version;
	if (server === version || version.includes('dev'))
		return { check, level: 'ok', message: `v${server}, ${age}` };
	const message = `the server is v${server}, this plugin v${version}`;
	return { check, level: 'warning', message, advice: ['upgrade the older one'] };
};

/** A server outside of the cluster has no Deployment. */
export const replicas: Check = ({ deployment, namespace }) => {
	const check = 'replicas';
	if (deployment.kind === 'not-found')
		return {
			check,
			level: 'ok',
			message: `no Deployment in namespace ${namespace}: it runs outside of the cluster`,
		};
	if (deployment.kind !== 'found') return notMade(check, deployment);
	const wanted = deployment.value.spec?.replicas ?? 1;
	const ready = deployment.value.status?.readyReplicas ?? 0;
	const message = `${ready} of ${wanted} ready`;
	if (ready >= Math.max(1, wanted) && wanted > 1) return { check, level: 'ok', message };
	const advice = [`kubectl get pods -n ${namespace} -l app.kubernetes.io/name=runners-admission`];
	if (ready === 0) return { check, level: 'error', message, advice };
	if (ready < wanted) return { check, level: 'warning', message, advice };
	return {
		check,
		level: 'warning',
		message: `${message}: while its node is drained, no replica answers`,
		advice: ['run two replicas: kubectl runners install --replicas=2'],
	};
};

/** A managed certificate is renewed a month before it expires: one with less time left is not being renewed. */
const warnDays = 21;
const errorDays = 3;

export const certificate: Check = ({ report, nowMs }) => {
	const check = 'certificate';
	if (report.kind !== 'found') return undefined; // the check "report" says so
	const ends = report.value.certificates.map(({ name, notAfter }) => ({
		name: name === 'ca' ? 'CA' : 'serving certificate',
		days: Math.floor((Date.parse(notAfter) - nowMs) / (24 * 60 * 60_000)),
		until: notAfter.slice(0, 10),
	}));
	const first = ends.reduce<(typeof ends)[number] | undefined>(
		(least, end) => (least && least.days <= end.days ? least : end),
		undefined,
	);
	if (!first) return { check, level: 'warning', message: 'the report contains none' };
	const { name, days, until } = first;
	const left = days < 0 ? `expired on ${until}` : `expires in ${days} days, on ${until}`;
	if (days >= warnDays) {
		const all = ends.map((end) => `${end.name} ${end.days} days`).join(', ');
		return { check, level: 'ok', message: `left: ${all}` };
	}
	return {
		check,
		level: days < errorDays ? 'error' : 'warning',
		message: `the ${name} ${left}, and should have been renewed`,
		advice: [
			'a server that manages its own certificates renews them: look for "certificate" in its log. With --tls-cert-file or cert-manager, renew yours',
		],
	};
};
