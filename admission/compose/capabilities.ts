import { enabledBy } from '../api/controllers.ts';
import { arcCapability } from '../arc/capability.ts';
import { autoscalingCapability } from '../autoscale/capability.ts';
import type { Capability, LeaderPart } from '../capability.ts';
import { certificatesCapability } from '../certificates/capability.ts';
import { readSecret } from '../cluster/github-accounts.ts';
import type { Term } from '../cluster/term.ts';
import type { Settings } from '../flags.ts';
import { guardCapability } from '../guard/capability.ts';
import { jobsCapability } from '../jobs/capability.ts';
import { reportPart } from '../leader/report-part.ts';
import { postMortems } from '../post-mortems/capability.ts';
import { setsCapability } from '../sets/capability.ts';
import { versionsCapability } from '../versions/capability.ts';
import type { Bootstrapped } from './bootstrap.ts';
import type { Edges } from './edges.ts';
import type { Services } from './services.ts';

/**
 * All capabilities, and how they are connected. A capability knows another one only by what it is given here.
 *
 * @param useCertificate serves with each new certificate, as the job hooks do
 */
export function createCapabilities(
	settings: Settings,
	{ env, version }: Edges,
	bootstrapped: Bootstrapped,
	services: Services,
	useCertificate: (pair: { cert: string; key: string }) => void,
) {
	const { client, namespace, accounts, signer, background } = services;
	const { configurations, certificate } = bootstrapped;
	const enabled = enabledBy(settings.controllers);

	const jobs = jobsCapability({
		...services,
		sign: signer.signStatement,
		eventPort: {
			port: settings.eventsPort,
			recordsJobs: enabled.autoscaling,
			environment: env.GITHUB_WEBHOOK_SECRET_TOKEN,
			readSecret: () => readSecret(client, namespace, settings.githubSecret),
			account: () => accounts.resolve({ namespace }),
		},
		jobHooks: {
			mode: settings.jobHooks,
			port: settings.jobsPort,
			url: settings.jobsUrl,
			githubUrl: settings.githubUrl,
			tls: certificate.current,
			authorities: () => configurations.bundled,
		},
	});
	const guard = guardCapability({
		...services,
		configurations,
		setControllers: enabled.sets,
		background: background.add,
	});
	const versions = versionsCapability({ ...services, controllers: enabled.sets, logs: guard.runnerLogs });
	const { runnerImage, dockerImage, githubUrl } = settings;
	const sets = setsCapability({
		...services,
		controllers: enabled.sets,
		templateDefaults: { runnerImage, dockerImage, githubUrl },
		jobHooks: jobs.injectHooks,
		reviewOtherPods: jobs.reviewOtherPods,
		releasePorts: guard.releasePorts,
	});
	const autoscaling = enabled.autoscaling
		? autoscalingCapability({ ...services, controllers: enabled.sets })
		: undefined;
	const arc = enabled.arcTakeover ? arcCapability({ ...services, controllers: enabled.sets }) : undefined;
	const certificates = certificatesCapability(bootstrapped, (pair) => {
		useCertificate(pair);
		jobs.useCertificate(pair);
	});
	const ends = postMortems({ ...services, keepLogs: settings.endedRunnerLogs === 'on' });
	const report = { ...services, version, unguardedTime: guard.unguardedTime };
	const all: readonly Capability[] = [certificates, guard, sets, jobs];
	return {
		all,
		/** What all replicas are to know of GitHub's webhooks. */
		notes: jobs.notes,
		/** What the leader runs during a term. */
		leaderParts(term: Term): LeaderPart[] {
			const guarding = guard.lead(term);
			const scaling = autoscaling?.lead(term, guarding.isOffline);
			const saying = versions.lead(term);
			return [
				guarding,
				...(scaling ? [scaling] : []),
				saying,
				sets.lead(term, { demand: scaling?.demand, versions: saying.versions }),
				...(arc ? [arc.lead(term)] : []),
				jobs.lead(term),
				ends.lead(term),
				reportPart(report, term, guarding.waiting, () => saying.versions.sets()),
			];
		},
	};
}
