import { unansweredBy } from '../../kube/webhook-errors.ts';

/** Explains the API server's error about a webhook that did not answer, and what to do about it. */
export function explainCallFailure(message: string): { why: string; advice: string } {
	for (const [pattern, why, advice] of causes) if (pattern.test(message)) return { why, advice };
	return { why: (unansweredBy(message)?.why ?? message).slice(0, 300), advice: logs };
}

const logs =
	"see the server's log: kubectl logs -n runners-system -l app.kubernetes.io/name=runners-admission";
const restart = 'a server writes the caBundle within seconds of its start; if it has not, restart it';

const causes: readonly (readonly [RegExp, string, string])[] = [
	[
		/certificate signed by unknown authority|x509: ECDSA verification failure/,
		'its serving certificate is not signed by the CA in the caBundle (x509: unknown authority)',
		`${restart}; with --tls-cert-file or cert-manager you have to set the caBundle`,
	],
	[
		/certificate has expired or is not yet valid/,
		'its serving certificate has expired, or is not valid yet (x509)',
		'renew it (a server that manages its own certificate does so when it starts), and check that the clocks agree',
	],
	[
		/x509: certificate is (?:valid for .*, not|not valid for)/,
		'its serving certificate does not contain the name of the Service (x509)',
		'issue it for the name runners-admission.NAMESPACE.svc',
	],
	[
		/tls: (?:certificate required|bad certificate|unknown certificate authority)/,
		'it requires a client certificate, and the API server presents none that it accepts',
		'it runs with --client-ca-file: set up the API server first, see docs/operations.md',
	],
	[/x509/, 'its serving certificate is not accepted (x509)', restart],
	[
		/no endpoints available for service/,
		'no replica is ready behind its Service',
		'kubectl get pods -n runners-system; while no replica is ready, break-glass works: see docs/runbook.md',
	],
	[
		/service "[^"]*" not found/,
		'its Service does not exist',
		'to put it back: kubectl runners install; to remove the webhook: kubectl runners uninstall',
	],
	[
		/connection refused|EOF|connection reset/,
		'nothing listens at its address (connection refused or closed)',
		'start a replica; while none runs, break-glass works: see docs/runbook.md',
	],
	[
		/does not recognise the API server/,
		'it answers, but it has not written the path in the webhook configuration',
		'it writes the path within seconds; if it does not, check that all replicas use the Secret runners-admission-proof, and restart them',
	],
	[
		/no such host/,
		"the API server can't resolve its name",
		'for a server outside of the cluster: check that the API server can resolve the ExternalName of the Service',
	],
	[
		/deadline exceeded|timeout|timed out/i,
		'it did not answer in time',
		'check for a firewall or NetworkPolicy between the API server and port 9443 of the server',
	],
];
