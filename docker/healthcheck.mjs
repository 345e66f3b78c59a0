// Ends with 0 where the program in this container says that it is ready: healthcheck.mjs PORT_VARIABLE DEFAULT_PORT.
const [variable, fallback] = process.argv.slice(2);
const port = process.env[variable] || fallback;
try {
  const answer = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(4_000) });
  console.log(await answer.text());
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  console.error(`Port ${port} does not answer: ${error.cause?.code ?? error.name}`);
  process.exitCode = 1;
}
