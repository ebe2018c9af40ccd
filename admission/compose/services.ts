import { names } from '../api/keys.ts';
import { BackgroundWork } from '../cluster/background-work.ts';
import { githubAccounts } from '../cluster/github-accounts.ts';
import { Replicas, type SharedNotes } from '../cluster/replicas.ts';
import { RunnerPods } from '../cluster/runner-pods.ts';
import type { Settings } from '../flags.ts';
import { credentialReports } from '../github/credential-report.ts';
import { credentialFromEnvironment } from '../github/credentials.ts';
import { Events } from '../kube/events.ts';
import { hostOf } from '../runner/scope.ts';
import type { Bootstrapped } from './bootstrap.ts';
import type { Edges } from './edges.ts';

/** What the services call, which is made after them. */
interface Later {
	/** What all replicas are to know of GitHub's webhooks. */
	notes: () => SharedNotes;
	/** The calls of a GitHub account work again. */
	githubRecovered: () => void;
}

export type Services = ReturnType<typeof createServices>;

/** What the capabilities share: the accounts at GitHub, the other replicas, runner pods, Events. */
export function createServices(
	settings: Settings,
	edges: Edges,
	{ user, signer }: Bootstrapped,
	later: Later,
) {
	const { namespace } = settings;
	const { client, fetch, clock, self, env, userAgent, metrics, log } = edges;
	const host = hostOf(settings.githubUrl) ?? '';
	const replicas = new Replicas({
		client,
		namespace,
		clock,
		log,
		name: self.slice(-8),
		used: () => accounts.used(),
		events: () => metrics.sightings.report(),
		webhooks: {
			notes: () => later.notes().notes(),
			receive: (notes) => later.notes().receive(notes),
		},
	});
	const accounts = githubAccounts({
		client,
		fetch,
		namespace,
		userAgent,
		clock,
		log,
		share: replicas.share,
		apiUrl: settings.githubApiUrl,
		environment: credentialFromEnvironment(env),
		secret: settings.githubSecret,
		onRecovered: later.githubRecovered,
		onCall: (call) => metrics.github.call(call),
	});
	metrics.github.credentials = () => credentialReports(accounts);
	return {
		client,
		clock,
		metrics,
		log,
		namespace,
		self,
		host,
		user,
		signer,
		replicas,
		accounts,
		background: new BackgroundWork(log),
		pods: new RunnerPods(client, signer, host, clock.now),
		events: new Events(client, log, { component: names.server, instance: self }, clock),
	};
}
