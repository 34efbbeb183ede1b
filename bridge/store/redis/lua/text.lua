local file = files.find(ARGS.handle)
if not file or file.kind ~= 'text' or tonumber(file['until']) <= NOW then
    return answer()
end
return answer(file.text)
