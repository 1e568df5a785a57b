-- Runs one health script over one object as Argo CD does: `obj` given, no standard library but the base functions.
-- usage: lua5.1 run_health.lua HEALTH.LUA OBJECT.LUA; prints the status and, on the second line, the message
local script, why = loadfile(arg[1])
if script == nil then
  error(why, 0)
end
setfenv(script, {obj = dofile(arg[2]), ipairs = ipairs, pairs = pairs, next = next, type = type, tostring = tostring, tonumber = tonumber})
local health = script()
print(health.status)
print(health.message or "")
