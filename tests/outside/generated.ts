//  generated.ts - calls through what openapi-typescript-codegen made of /openapi.json, checked by the compiler.
//
//  ADDRESS OPERATOR_TOKEN: says what it saw as one line of JSON; test_outsiders looks at it.
import { ApiError, AuthService, CounterService, OpenAPI, SensorService } from "./gen";

declare const process: { argv: string[] };
const [address, operator] = process.argv.slice(2);

async function failed(call: Promise<unknown>) {
    try {
        await call;
        return null;
    } catch (error) {
        return error instanceof ApiError ? [error.status, error.body.type, error.body.detail] : String(error);
    }
}

async function main() {
    OpenAPI.BASE = `http://${address}`;
    const seen: Record<string, unknown> = {};
    const key = `key-${Date.now()}`;
    seen.adds = [await CounterService.counterAdd("generated", key), await CounterService.counterAdd("generated", key),
                 await CounterService.counterAdd("generated")];
    seen.reads = [await CounterService.counterTotal("generated"), await CounterService.counterTotalGet("generated")];
    const measurement = { dump: "a ride", number: 1, t: Date.now(), values: { power_w: 250 } };
    await SensorService.sensorMeasure("c4:3f", measurement);
    const taken: { number: number } = await SensorService.sensorTakenGet("c4:3f", "a ride");
    seen.taken = [taken, await SensorService.sensorTaken("c4:3f", { dump: "a ride" })];
    seen.refused = await failed(CounterService.counterRefuse("generated"));
    seen.nobody = await failed(CounterService.counterSignedInGet("generated"));
    OpenAPI.TOKEN = operator;
    const password = "correct horse battery";
    await AuthService.authRegister({ name: "anna", password });
    OpenAPI.TOKEN = undefined;
    const signedIn = await AuthService.authLogin({ name: "anna", password, client: "generated" });
    OpenAPI.TOKEN = signedIn.access_token;
    seen.other = await failed(CounterService.counterOwned("generated"));
    const made = await AuthService.authKeys({ client: "generated" });
    OpenAPI.TOKEN = made.key ?? "none";
    seen.owner = await CounterService.counterOwned("anna");
    console.log(JSON.stringify(seen));
}

void main();
