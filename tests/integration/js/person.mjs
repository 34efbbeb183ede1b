// People on Matrix whose clients are matrix-js-sdk with its Rust crypto: what Element Web runs, and none of our code.
// Each line of the input is a request {id, who, does, ...}; each line of the output an answer {id, is} or {id, failed},
// or an event that somebody heard, {who, heard}. What the SDK logs goes to the errors. See element.py.

import "fake-indexeddb/auto";
import { createInterface } from "node:readline";
import { format } from "node:util";

for (const level of ["trace", "debug", "log", "info", "warn", "error"])
    console[level] = (...words) => process.stderr.write(format(...words) + "\n");

const sdk = await import("matrix-js-sdk");
const api = await import("matrix-js-sdk/lib/crypto-api/index.js");
const { Attachment, EncryptedAttachment } = await import("@matrix-org/matrix-sdk-crypto-wasm");

const people = new Map();
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");

class Person {
    constructor(who) {
        this.who = who;
        this.seen = new Set();
        this.recoveryKey = null;
    }

    // Log in as a new device, and listen from now on. A second time: come back as the same device, with its keys.
    async start({ url, user, password, signedOnly }) {
        if (!this.login) {
            const identifier = { type: "m.id.user", user };
            this.login = await sdk.createClient({ baseUrl: url }).loginRequest({ type: "m.login.password", identifier, password });
            this.password = password;
        }
        const { user_id: userId, device_id: deviceId, access_token: accessToken } = this.login;
        this.client = sdk.createClient({
            baseUrl: url, userId, deviceId, accessToken,
            cryptoCallbacks: { getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], this.recoveryKey] },
        });
        // IndexedDB is this process's memory
        await this.client.initRustCrypto({ cryptoDatabasePrefix: `${userId} ${deviceId}` });
        this.crypto = this.client.getCrypto();
        if (signedOnly) this.crypto.setDeviceIsolationMode(new api.OnlySignedDevicesIsolationMode());
        this.client.on("Room.timeline", (event) => this.hear(event));
        this.client.on("Event.decrypted", (event) => this.hear(event));
        this.client.on("RoomMember.membership", ({ userId: user, roomId, membership }) => {
            if (user === userId && membership === "invite") this.client.joinRoom(roomId);
        });
        // Without a limit of ours, the homeserver leaves out all but the last ten messages between two syncs
        const filter = new sdk.Filter(userId);
        filter.setTimelineLimit(1000);
        await this.client.startClient({ filter, lazyLoadMembers: true, initialSyncLimit: 50 });
        await new Promise((done) => this.client.on("sync", (state) => state === "PREPARED" && done()));
        return { user: userId, device: deviceId, token: accessToken };
    }

    // The client is closed; its keys stay for the next `start`.
    stop() { this.client.stopClient(); }

    async hear(event) {
        if (event.isState() || event.isBeingDecrypted() || event.status || !event.getId()?.startsWith("$")) return;
        const failure = event.isDecryptionFailure() ? event.decryptionFailureReason : null;
        if (event.getType() === "m.room.encrypted" && !failure) return; // not tried yet: Event.decrypted follows
        const shown = `${event.getId()} ${failure}`;
        if (this.seen.has(shown)) return;
        this.seen.add(shown);
        const info = event.isEncrypted() && !failure ? await this.crypto.getEncryptionInfoForEvent(event) : null;
        tell({ who: this.who, heard: {
            id: event.getId(), room: event.getRoomId(), sender: event.getSender(), type: event.getType(),
            content: event.getContent(), sealed: event.isEncrypted(), failure,
            session: event.getWireContent().session_id ?? null,
            shield: info && { colour: api.EventShieldColour[info.shieldColour], reason: api.EventShieldReason[info.shieldReason] ?? null },
        } });
    }

    // The shield that an event has now.
    async shield({ room, event }) {
        const found = this.client.getRoom(room).findEventById(event);
        const info = await this.crypto.getEncryptionInfoForEvent(found);
        return { colour: api.EventShieldColour[info.shieldColour], reason: api.EventShieldReason[info.shieldReason] ?? null };
    }

    // The ids of all events of the room, in the order of the homeserver.
    timeline({ room }) { return this.client.getRoom(room).getLiveTimeline().getEvents().map((event) => event.getId()); }

    async join({ room }) { return (await this.client.joinRoom(room)).roomId; }

    async create({ request }) { return (await this.client.createRoom(request)).room_id; }

    async send({ room, type, content }) { return (await this.client.sendEvent(room, type, content)).event_id; }

    async state({ room, type, content }) { await this.client.sendStateEvent(room, type, content, ""); }

    async redact({ room, event }) { await this.client.redactEvent(room, event); }

    // Whether the client knows that the room is encrypted, and that all of `users` are in it.
    async knows({ room, users }) {
        const there = this.client.getRoom(room);
        if (!there || !(await this.crypto.isEncryptionEnabledInRoom(room))) return false;
        await there.loadMembersIfNeeded();
        return users.every((user) => ["join", "invite"].includes(there.getMember(user)?.membership));
    }

    // Upload a file encrypted; the `file` of its event.
    async upload({ data }) {
        const sealed = Attachment.encrypt(Buffer.from(data, "base64"));
        const { content_uri: url } = await this.client.uploadContent(Buffer.from(sealed.encryptedData), { type: "application/octet-stream" });
        return { ...JSON.parse(sealed.mediaEncryptionInfo), url };
    }

    // What the `file` of an event leads to, decrypted.
    async download({ file }) {
        const url = this.client.mxcUrlToHttp(file.url, undefined, undefined, undefined, true, true, true);
        const answer = await fetch(url, { headers: { Authorization: `Bearer ${this.login.access_token}` } });
        if (!answer.ok) throw new Error(`${answer.status} for ${url}`);
        const sealed = new EncryptedAttachment(new Uint8Array(await answer.arrayBuffer()), JSON.stringify(file));
        return Buffer.from(Attachment.decrypt(sealed)).toString("base64");
    }

    // Any request of the client-server API; `path` begins with a slash.
    async call({ method, path, body }) { return await this.client.http.authedRequest(method, path, {}, body); }

    async rotate({ room }) { await this.crypto.forceDiscardSession(room); }

    // Cross-signing keys of the person's own; with the recovery key of the account's secret storage, those that are there.
    async crossSign({ recoveryKey }) {
        if (recoveryKey) this.recoveryKey = api.decodeRecoveryKey(recoveryKey);
        const { user_id: user } = this.login;
        const isThere = await this.crypto.userHasCrossSigningKeys(user, true);
        if (isThere !== Boolean(recoveryKey)) throw new Error(`the account has cross-signing keys: ${isThere}`);
        await this.crypto.bootstrapCrossSigning({
            authUploadDeviceSigningKeys: async (upload) => {
                await upload({ type: "m.login.password", identifier: { type: "m.id.user", user }, password: this.password });
            },
        });
        return await this.crypto.isCrossSigningReady();
    }

    // Put the cross-signing keys into secret storage, which is new; its recovery key.
    async store() {
        const key = await this.crypto.createRecoveryKeyFromPassphrase();
        this.recoveryKey = key.privateKey;
        await this.crypto.bootstrapSecretStorage({ createSecretStorageKey: async () => key, setupNewSecretStorage: true });
        return key.encodedPrivateKey;
    }

    // Whom this client trusts: the person, and each of their devices.
    async trusts({ user }) {
        const person = await this.crypto.getUserVerificationStatus(user);
        const devices = (await this.crypto.getUserDeviceInfo([user], true)).get(user) ?? new Map();
        const signed = {};
        for (const device of devices.keys())
            signed[device] = (await this.crypto.getDeviceVerificationStatus(user, device)).signedByOwner;
        return { verified: person.isCrossSigningVerified(), signed };
    }

    // Ask `user` to compare emoji: in `room`, or with `device`. The emoji, once both sides show them.
    async verify({ user, device, room }) {
        this.request = device
            ? await this.crypto.requestDeviceVerification(user, device)
            : await this.crypto.requestVerificationDM(user, room);
        await this.reached(api.VerificationPhase.Ready);
        const verifier = await this.request.startVerification("m.sas.v1");
        const shown = new Promise((done) => verifier.on("show_sas", done));
        this.compared = verifier.verify();
        this.compared.catch(() => {});
        this.sas = await Promise.race([shown, this.compared]);
        return this.sas.sas.emoji;
    }

    // Say that the emoji are the same; returns when both sides have said so.
    async confirm() {
        await this.sas.confirm();
        await this.compared;
        await this.reached(api.VerificationPhase.Done);
    }

    // Say that the emoji differ.
    mismatch() { this.sas.mismatch(); }

    async reached(phase) {
        const request = this.request;
        await new Promise((done, fail) => {
            const look = () => {
                if (request.phase >= phase && request.phase !== api.VerificationPhase.Cancelled) done();
                else if (request.phase === api.VerificationPhase.Cancelled) fail(new Error(`cancelled: ${request.cancellationCode}`));
            };
            request.on("change", look);
            look();
        });
    }
}

const VERBS = new Set(Object.getOwnPropertyNames(Person.prototype).filter((name) => name !== "constructor"));

async function answer({ id, who, does, ...more }) {
    try {
        if (!VERBS.has(does)) throw new Error(`no such verb: ${does}`);
        if (!people.has(who)) people.set(who, new Person(who));
        tell({ id, is: (await people.get(who)[does](more)) ?? null });
    } catch (error) {
        tell({ id, failed: String(error?.stack ?? error) });
    }
}

process.on("unhandledRejection", (error) => console.error("nobody has waited for", error));
createInterface({ input: process.stdin }).on("line", (line) => answer(JSON.parse(line))).on("close", () => process.exit());
tell({ ready: true });
