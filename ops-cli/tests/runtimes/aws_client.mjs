// Runs AWS's client as its managed runtimes do: the function's folder and handler are in the environment.
import path from 'node:path';

const { env, argv } = process;
const client = argv[2];
if (client.endsWith('-3')) {
  const { run } = await import(path.join(client, 'dist/index.mjs'));
  await run(env.LAMBDA_TASK_ROOT, env._HANDLER);
} else {
  await import(path.join(client, 'index.mjs'));
}
