/** Who may call: personal tokens, GitHub Apps and their installation tokens, and what GitHub says to anybody else. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, verify } from 'node:crypto';
import {
	type Answer,
	badCredentials,
	failure,
	type forbiddenMessages,
	requiresAuthentication,
} from './answer.ts';
import { type Scope, scopeKey } from './scope.ts';

/** A caller that GitHub knows. `id` names it in the call log, and its rate limit is kept by it. */
export interface Caller {
	id: string;
	/** As in the message of the primary limit. */
	label: string;
	access: Access;
}

/** What a caller may administer, and the kind of GitHub's refusal for everything else. */
interface Access {
	/** undefined: everything. */
	scopes?: readonly Scope[];
	who: keyof typeof forbiddenMessages;
}

export function mayUse({ scopes }: Access, scope: Scope): boolean {
	return scopes === undefined || scopes.some((own) => scopeKey(own) === scopeKey(scope));
}

export interface App {
	appId: number;
	installationId: number;
	/** PEM, PKCS#1 like GitHub's download. */
	privateKey: string;
	publicKey: KeyObject;
	/** What its installation covers; undefined: everything. */
	scopes?: readonly Scope[];
}

/** GitHub refuses a JWT whose `exp` is more than 10 minutes ahead (documentation, "Generating a JSON Web Token"). */
const jwtMaxAheadS = 600;
/** Clock drift that GitHub tolerates. It tolerates little, so its documentation recommends `iat` 60 s in the past. */
const jwtDriftS = 30;

export class Credentials {
	/** Token -> caller, and for installation tokens the time they end. */
	readonly #tokens = new Map<string, Caller & { expiresAtMs?: number }>();
	readonly #apps = new Map<number, App>();
	/** Every token that ever existed, including revoked ones. */
	readonly given: string[] = [];
	readonly #installationTokenTtlMs: number;

	constructor(installationTokenTtlMs: number) {
		this.#installationTokenTtlMs = installationTokenTtlMs;
	}

	/** A valid personal token; each token is its own user with its own rate limit. */
	add(token: string, scopes?: readonly Scope[]): void {
		const known = this.#tokens.size + 1;
		this.given.push(token);
		const access: Access = { who: 'personal-token', ...(scopes === undefined ? {} : { scopes }) };
		this.#tokens.set(token, { id: `user-${known}`, label: `user ID ${1000 + known}`, access });
	}

	revoke(token: string): void {
		this.#tokens.delete(token);
	}

	/** Every installation token of the app stops working; the app can make new ones. */
	revokeInstallationTokens(installationId: number): void {
		for (const [token, caller] of this.#tokens) {
			if (caller.id === `installation-${installationId}`) this.#tokens.delete(token);
		}
	}

	/** A GitHub App with one installation and a new key pair. */
	addApp(appId: number, installationId: number, scopes?: readonly Scope[]): App {
		const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
		const privateKey = pair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
		const publicKey = createPublicKey(pair.privateKey);
		const app: App = {
			appId,
			installationId,
			privateKey,
			publicKey,
			...(scopes === undefined ? {} : { scopes }),
		};
		this.#apps.set(appId, app);
		return app;
	}

	removeApp(appId: number): void {
		this.#apps.delete(appId);
	}

	/** The caller of an ordinary request, or GitHub's refusal. */
	authenticate(authorization: string | undefined, nowMs: number): { caller: Caller } | { refusal: Answer } {
		if (authorization === undefined) return { refusal: requiresAuthentication() };
		const token = /^(?:token|bearer) +(.+)$/i.exec(authorization)?.[1] ?? '';
		const caller = this.#tokens.get(token);
		if (caller === undefined) return { refusal: badCredentials() };
		if (caller.expiresAtMs !== undefined && nowMs >= caller.expiresAtMs) return { refusal: badCredentials() };
		return { caller };
	}

	/** The app behind a JWT, or GitHub's refusal. */
	authenticateApp(authorization: string | undefined, nowMs: number): { app: App } | { refusal: Answer } {
		const undecodable = failure(401, 'A JSON web token could not be decoded');
		if (authorization === undefined) return { refusal: undecodable };
		const jwt = /^bearer +(.+)$/i.exec(authorization)?.[1] ?? '';
		const signals = decodeJwt(jwt);
		if (signals === undefined) return { refusal: undecodable };

		const app = this.#apps.get(Number(signals.iss));
		if (app === undefined || !signedBy(app.publicKey, jwt)) return { refusal: undecodable };
		const nowS = nowMs / 1000;
		if (typeof signals.iat !== 'number' || signals.iat > nowS + jwtDriftS) {
			const message = `'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued`;
			return { refusal: failure(401, message) };
		}
		if (typeof signals.exp !== 'number' || signals.exp < nowS) {
			const message = `'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires`;
			return { refusal: failure(401, message) };
		}
		if (signals.exp > nowS + jwtMaxAheadS + jwtDriftS) {
			return { refusal: failure(401, `'Expiration time' claim ('exp') is too far in the future`) };
		}
		return { app };
	}

	/** A new installation token: valid for an hour on GitHub. */
	issueInstallationToken(app: App, nowMs: number): { token: string; expiresAtMs: number } {
		const token = `ghs_${randomBytes(27).toString('base64url')}`;
		const expiresAtMs = nowMs + this.#installationTokenTtlMs;
		this.given.push(token);
		const id = `installation-${app.installationId}`;
		const access: Access = { who: 'app', ...(app.scopes === undefined ? {} : { scopes: app.scopes }) };
		this.#tokens.set(token, { id, label: `installation ID ${app.installationId}`, access, expiresAtMs });
		return { token, expiresAtMs };
	}
}

interface Claims {
	iss?: string | number;
	iat?: number;
	exp?: number;
}

function decodeJwt(jwt: string): Claims | undefined {
	const [header, payload, signature] = jwt.split('.');
	if (!header || !payload || !signature) return undefined;
	try {
		const head = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg?: string };
		if (head.alg !== 'RS256') return undefined;
		return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
	} catch {
		return undefined; // not JSON: GitHub says that it could not be decoded, and so does the caller
	}
}

function signedBy(publicKey: KeyObject, jwt: string): boolean {
	const cut = jwt.lastIndexOf('.');
	return verify(
		'RSA-SHA256',
		Buffer.from(jwt.slice(0, cut)),
		publicKey,
		Buffer.from(jwt.slice(cut + 1), 'base64url'),
	);
}
