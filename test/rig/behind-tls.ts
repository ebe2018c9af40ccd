import { connect } from 'node:net';
import { createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { issueAuthority, issueServing } from '../../admission/certificates/issue.ts';

/** Serves over TLS, for `host`, what a port serves without. */
export async function behindTls(
	host: string,
	behind: number,
): Promise<{ port: number; ca: string; stop(): void }> {
	const lifetimeMs = 3_600_000;
	const authority = await issueAuthority(lifetimeMs, Date.now());
	const { cert, key } = await issueServing(authority, [host], lifetimeMs, Date.now());
	const server = createServer({ cert, key }, (client) => {
		const plain = connect(behind, '127.0.0.1');
		client.on('error', () => plain.destroy());
		plain.on('error', () => client.destroy());
		client.on('close', () => plain.destroy());
		client.pipe(plain).pipe(client);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	const port = typeof address === 'object' && address ? address.port : 0;
	return { port, ca: authority.cert, stop: () => server.close() };
}

/** From now on, this process trusts the CA as well as those it has trusted. */
export const trust = (ca: string): void => setDefaultCACertificates([...getCACertificates('default'), ca]);
