//  documents.mjs DIRECTORY... - what two validators say of openapi.json and asyncapi.json there, as lines of JSON.
import { readFile } from "node:fs/promises";
import SwaggerParser from "@apidevtools/swagger-parser";
import { Parser } from "@asyncapi/parser";

const tell = (what, value) => { process.stdout.write(`${JSON.stringify({ [what]: value })}\n`); };
const ERROR = 0, WARNING = 1;  // severities; behind them is advice, as that there is a newer version of AsyncAPI

async function openapi(path) {
    try {
        const api = await SwaggerParser.validate(path);
        return { version: api.openapi, complaints: Object.keys(api.paths).length ? [] : ["it has no paths"] };
    } catch (error) {
        return { complaints: [error.message] };
    }
}

async function asyncapi(path) {
    const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"));
    return {
        version: document?.version(),
        complaints: diagnostics.filter(({ severity }) => severity === ERROR || severity === WARNING)
            .map(({ message, path: where }) => `${where.join(".")}: ${message}`),
    };
}

for (const directory of process.argv.slice(2)) {
    tell(`${directory} openapi`, await openapi(`${directory}/openapi.json`));
    tell(`${directory} asyncapi`, await asyncapi(`${directory}/asyncapi.json`));
}
