-- tools/call with ids of its own, and every answer checked: status, id, text.
-- wrk -t1 … -s wrk.lua URL -- FIRST_ID BODY_BEFORE_THE_ID BODY_AFTER_IT EXPECTED_TEXT

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  next_id, before, after, expected = tonumber(args[1]), args[2], args[3], args[4]
  waiting, right, wrong, example = {}, 0, 0, ""
end

function request()
  next_id = next_id + 1
  waiting[next_id] = true
  return wrk.format("POST", nil, nil, before .. string.format("%d", next_id) .. after)
end

function response(status, headers, body)
  local id = tonumber(body:match('"id":%s*(%d+)'))
  if status == 200 and id and waiting[id] and body:find(expected, 1, true) then
    waiting[id] = nil
    right = right + 1
  else
    wrong = wrong + 1
    example = status .. " " .. body:sub(1, 300):gsub("%c", " ")
  end
end

function done(summary, latency, requests)
  local thread = threads[1]
  local errors = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %d %f %f\n",
    thread:get("right"), thread:get("wrong"),
    errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
  if thread:get("wrong") > 0 then io.write("EXAMPLE " .. thread:get("example") .. "\n") end
end
