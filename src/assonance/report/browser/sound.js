// Sound: the moments that excite a neuron most, to see and to hear. Nothing is fetched: the stream
// is in the page, and is decoded when something is first played.

const PICTURE = { width: 220, height: 46 };
let clipPlaces = null; // from "layer.neuron" to the place of its clips
let audio = null; // { context, buffer }, once decoded
let playing = null; // { source, button }

function clipsOf(place, neuron) {
  if (!clipPlaces) {
    const { layer, neuron: index } = data.sound;
    clipPlaces = new Map(range(layer.length).map((k) => [`${layer.get(k)}.${index.get(k)}`, k]));
  }
  return clipPlaces.get(`${place}.${neuron}`) ?? -1;
}

async function decodedStream() {
  const bytes = Uint8Array.from(atob(byId("stream").textContent), (letter) => letter.charCodeAt(0));
  const context = new AudioContext({ sampleRate: 16000 });
  return { context, buffer: await context.decodeAudioData(bytes.buffer) };
}

function markPlaying(button, on) {
  button.textContent = on ? "■" : "▶";
  button.setAttribute("aria-label", `${on ? "stop" : "play"} ${button.dataset.clip}`);
}

function stopSound() {
  if (!playing) return;
  const { source, button } = playing;
  playing = null;
  source.onended = null;
  source.stop();
  markPlaying(button, false);
}

async function playClip(button, start, seconds) {
  const again = playing?.button === button;
  stopSound();
  if (again) return;
  if (!audio) say("decoding the sound");
  try {
    audio ??= await decodedStream();
  } catch {
    say("this browser cannot decode the sound (Ogg Opus)");
    return;
  }
  await audio.context.resume();
  stopSound(); // what was started while this was decoded
  const source = audio.context.createBufferSource();
  source.buffer = audio.buffer;
  source.connect(audio.context.destination);
  source.onended = stopSound;
  source.start(0, start, seconds);
  playing = { source, button };
  markPlaying(button, true);
  say(`playing ${button.dataset.clip}`);
}

/** Draw the activity around a moment: of the neuron, and of its best match in B. */
function clipPicture(k, at, models) {
  const { traces } = data.sound;
  const { width, height } = PICTURE;
  const count = traces.shape[3];
  const values = models.map((model) => range(count).map((t) => traces.get(k, at, model, t)));
  const known = finite(values.flat());
  const x = linear([0, count - 1], [0, width]);
  const y = linear([Math.min(...known), Math.max(...known)], [height - 3, 3]);
  const path = (each) => line(each.map((value, t) => [x(t), Number.isFinite(value) ? y(value) : NaN]));
  return shape(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
    shape("path", { class: "axis", d: `M${width / 2} 0V${height}` }),
    ...values.map((each, n) => shape("path", { class: n ? "ceiling" : "curve", d: path(each) })).reverse(),
  );
}

function clipRow(k, at, models) {
  const { texts, utterance, words, time, level, start, seconds } = data.sound;
  const name = texts[utterance.get(k, at)];
  const moment = `${name} at ${time.get(k, at).toFixed(2)} s`;
  const button = element("button", { type: "button", "data-clip": moment });
  button.addEventListener("click", () => playClip(button, start.get(k, at), seconds.get(k, at)));
  markPlaying(button, false);
  const spoken = texts[words.get(k, at)];
  return element(
    "li",
    {},
    button,
    clipPicture(k, at, models),
    element(
      "span",
      {},
      `${moment}, ${short(level.get(k, at))} SD above its mean`,
      ...(spoken ? [element("q", {}, spoken)] : []),
    ),
  );
}

/** Return what a card shows of a neuron's moments; nothing if the page has no sound. */
function momentsOf(neuron) {
  stopSound();
  if (!data.sound) return [];
  const k = clipsOf(state.row, neuron);
  if (k < 0) {
    const words = "The page has no moments of this neuron; assonance explore finds them in the run.";
    return [element("p", { class: "caption" }, words)];
  }
  const { utterance, reach, minutes, licence } = data.sound;
  const own = layers[state.row].model;
  const other = layers[state.col].model;
  const models = own === other ? [own] : [own, other];
  const clips = range(utterance.shape[1]).filter((at) => !Number.isNaN(utterance.get(k, at)));
  const entries = [["curve", "this neuron"], ["ceiling", `its best match in ${data.models[other].name}`]];
  const speech = `${minutes} minutes of the speech are in this page. Licence: ${licence.replace(/\.$/, "") || "none lies beside the speech"}.`;
  return [
    element("h3", {}, "Moments that excite it most"),
    element("ol", { class: "clips" }, ...clips.map((at) => clipRow(k, at, models))),
    legend(entries.slice(0, models.length)),
    element("p", { class: "caption" }, `Activity in standard deviations within ${reach} s of its highest value in an utterance. ${speech}`),
  ];
}
