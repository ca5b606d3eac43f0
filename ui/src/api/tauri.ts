import { Channel, invoke } from "@tauri-apps/api/core";
import { type AnyEvent, type Backend, ControlError, type EventListener } from "./backend";
import type { Commands, WatchItem } from "./bindings";

/** The core in the same process, over Tauri IPC. The only file that names Tauri. */
export class TauriBackend implements Backend {
  async call<K extends keyof Commands>(command: K, args: Commands[K]["args"]): Promise<Commands[K]["result"]> {
    try {
      return await invoke<Commands[K]["result"]>("control", { name: command, args: args ?? {} });
    } catch (error) {
      throw ControlError.from(error);
    }
  }

  listen(listener: EventListener): () => void {
    const channel = new Channel<AnyEvent>();
    let on = true;
    channel.onmessage = (event) => {
      if (on) listener.onEvent(event);
    };
    invoke("events", { channel }).then(
      () => on && listener.onConnected(),
      (error: unknown) => on && listener.onLost(ControlError.from(error)),
    );
    return () => {
      on = false;
    };
  }

  watch(messageId: string, since: number, onItem: (item: WatchItem) => void, onLost: (error: ControlError) => void): () => void {
    const channel = new Channel<WatchItem>();
    let on = true;
    channel.onmessage = (item) => {
      if (on) onItem(item);
    };
    invoke("watch", { messageId, since, channel }).catch((error: unknown) => {
      if (on) onLost(ControlError.from(error));
    });
    return () => {
      on = false;
    };
  }

  async openLink(url: string): Promise<void> {
    try {
      await invoke("open_link", { url });
    } catch (error) {
      throw ControlError.from(error);
    }
  }
}
